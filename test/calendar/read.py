"""Reads iCalendar texts with python3-icalendar.

Takes a JSON list of texts, prints a JSON list of calendars.
"""

import json
import sys
from datetime import timezone

from icalendar import Calendar


def moment(event, name):
    return event.decoded(name).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(e):
    return {
        "uid": str(e["UID"]),
        "start": moment(e, "DTSTART"),
        "end": moment(e, "DTEND"),
        "stamp": moment(e, "DTSTAMP"),
        "created": moment(e, "CREATED"),
        "modified": moment(e, "LAST-MODIFIED"),
        "status": str(e["STATUS"]),
        "sequence": int(e["SEQUENCE"]),
        "transparency": str(e["TRANSP"]),
        "class": str(e["CLASS"]),
        "summary": str(e.get("SUMMARY", "")),
        "location": str(e.get("LOCATION", "")),
        "description": str(e.get("DESCRIPTION", "")),
    }


def calendar(text):
    c = Calendar.from_ical(text)
    if c.errors or any(e.errors for e in c.walk()):
        raise ValueError([e.errors for e in c.walk()])
    return {
        "name": str(c["NAME"]),
        "method": str(c["METHOD"]),
        "refresh": c["REFRESH-INTERVAL"].to_ical().decode(),
        "events": [event(e) for e in c.walk("VEVENT")],
    }


json.dump([calendar(text) for text in json.load(sys.stdin)], sys.stdout)
