// Reads iCalendar texts with ical.js. Takes a JSON list of texts, prints a
// JSON list of calendars.
import { readFileSync } from 'node:fs'
import ICAL from 'ical.js'

ICAL.design.strict = true

function event(component) {
  // ical.js finds a time's zone among the components of its calendar.
  const moment = name => component.getFirstPropertyValue(name).toJSDate().toISOString().replace('.000Z', 'Z')
  const value = name => component.getFirstPropertyValue(name) ?? ''
  return {
    uid: value('uid'),
    start: moment('dtstart'),
    end: moment('dtend'),
    stamp: moment('dtstamp'),
    created: moment('created'),
    modified: moment('last-modified'),
    status: value('status'),
    sequence: value('sequence'),
    transparency: value('transp'),
    class: value('class'),
    summary: value('summary'),
    location: value('location'),
    description: value('description')
  }
}

function calendar(text) {
  const c = new ICAL.Component(ICAL.parse(text))
  return {
    name: c.getFirstPropertyValue('name'),
    method: c.getFirstPropertyValue('method'),
    refresh: c.getFirstPropertyValue('refresh-interval').toString(),
    events: c.getAllSubcomponents('vevent').map(event)
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(calendar)))
