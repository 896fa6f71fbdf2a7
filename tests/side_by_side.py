"""`make test`: what mostly waits for stacks of its own beside all other tests; both are told, and the worse end counts."""

from __future__ import annotations

import subprocess
import sys
import tempfile

BESIDE = ("tests/crash", "tests/rehearsal/test_bench.py", "tests/rehearsal/test_demo.py")
"""They bring up stacks of real processes; together about as long as the rest."""


def main() -> int:
    """Run both halves at once; returns 0 when all passed."""
    pytest = [sys.executable, "-m", "pytest", "-q"]
    with tempfile.TemporaryFile("w+") as said:
        campaign = subprocess.Popen([*pytest, *BESIDE], stdout=said, stderr=subprocess.STDOUT)
        try:
            rest = subprocess.run([*pytest, *(f"--ignore={path}" for path in BESIDE)], check=False).returncode
            ended = campaign.wait()
        finally:
            campaign.terminate()
        said.seek(0)
        sys.stdout.write(f"\n{', '.join(BESIDE)}, which ran beside them:\n{said.read()}")
    return rest or ended


if __name__ == "__main__":
    sys.exit(main())
