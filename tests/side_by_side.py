"""`make test`: the crash campaign, which mostly waits, beside all other tests; both are told, and the worse end counts."""

from __future__ import annotations

import subprocess
import sys
import tempfile

ALONE = "tests/crash"


def main() -> int:
    """Run both halves at once; returns 0 when all passed."""
    pytest = [sys.executable, "-m", "pytest", "-q"]
    with tempfile.TemporaryFile("w+") as said:
        campaign = subprocess.Popen([*pytest, ALONE], stdout=said, stderr=subprocess.STDOUT)
        try:
            rest = subprocess.run([*pytest, f"--ignore={ALONE}"], check=False).returncode
            ended = campaign.wait()
        finally:
            campaign.terminate()
        said.seek(0)
        sys.stdout.write(f"\n{ALONE}, which ran beside them:\n{said.read()}")
    return rest or ended


if __name__ == "__main__":
    sys.exit(main())
