"""The rooms of the console, each with its router."""

from __future__ import annotations

from fastapi import APIRouter

from api import console, console_acts, console_call, console_staff

CONSOLE: tuple[APIRouter, ...] = (console.router, console_staff.router, console_acts.router, console_call.router)
