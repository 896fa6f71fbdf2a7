"""The rooms of the console, each with its router."""

from __future__ import annotations

from fastapi import APIRouter

from api import (
    console,
    console_acts,
    console_call,
    console_password,
    console_staff,
    console_start,
    console_tasks,
    console_tomorrow,
)

CONSOLE: tuple[APIRouter, ...] = tuple(
    room.router
    for room in (
        console, console_staff, console_password, console_acts, console_call, console_tasks, console_tomorrow, console_start,
    )
)  # fmt: skip
