// Package messages brings messages to people: what other services have to tell
// them stands on a page of theirs, and beside that comes by SMS, or the front
// desk calls. Who has no phone is told by the front desk as well.
//
// This file has the rules. They are pure functions: who the person is, what
// they have chosen and what time it is are handed in.
package messages

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// Way is how somebody is told, beside the page of their messages.
type Way string

// The ways.
const (
	// WaySMS sends a text message, where the community can.
	WaySMS Way = "sms"
	// WayPage leaves it at the page.
	WayPage Way = "page"
	// WayCall has the front desk call.
	WayCall Way = "call"
)

// Ways are all ways, in the order in which they are offered.
var Ways = []Way{WaySMS, WayPage, WayCall}

// Preferences are what somebody has chosen.
type Preferences struct {
	Way Way
	// Language is what text messages are written in.
	Language web.Language
}

// defaults are the preferences of who has chosen nothing.
var defaults = Preferences{Way: WaySMS, Language: web.Chinese}

// State is what has become of a message beyond the page.
type State string

// The states of an item.
const (
	// StatePage is only on the page.
	StatePage State = "page"
	// StateToSend waits to be sent by SMS; StateSent was.
	StateToSend State = "to-send"
	StateSent   State = "sent"
	// StateToCall waits on the front desk's list; StateCalled was told.
	StateToCall State = "to-call"
	StateCalled State = "called"
	// StateReplaced gave way to a later one about the same.
	StateReplaced State = "replaced"
)

// Item is a message to one person.
type Item struct {
	// ID is also the idempotency key towards the SMS gateway.
	ID uuid.UUID
	// Person is who is told. Name and Phone are those of a guest, of whom the
	// community has no record; empty for everybody else.
	Person, Name, Phone string
	// For is the ID of whom it is about, if Person is told because they act
	// for them; else empty.
	For string
	// Kind and About are what it is about, Link is where something can be done
	// about it.
	Kind, About, Link string
	Urgent            bool
	// At is when it came about, NotAfter when it is of no use any more.
	At, NotAfter time.Time
	// Text and Short are the texts by language, for the page and the phone.
	Text, Short map[string]string

	State State
	// DueAt is when it is to be sent.
	DueAt    time.Time
	Attempts int
	// ReadAt is when it was read on the page, DoneAt when it was sent or told;
	// zero if it was not.
	ReadAt, DoneAt time.Time
	// Note is what the front desk wrote about the last call.
	Note string
}

// Guest reports whether the item is for somebody of whom the community has no
// record.
func (i Item) Guest() bool { return i.Name != "" }

const (
	// window is how long nobody is told twice of the same.
	window = 10 * time.Minute
	// Nobody's phone rings between quietFrom and quietTo, hours of the day in
	// the community's zone.
	quietFrom, quietTo = 21, 8
	// retention is how long messages are kept.
	retention = 90 * 24 * time.Hour
)

// recipient is somebody who is told.
type recipient struct {
	person identity.Person
	Preferences
	// forPerson is as Item has it.
	forPerson string
}

// items are what a message makes for those who are told of it. sms says that
// the community can send text messages.
func items(m notify.Message, recipients []recipient, sms bool, now time.Time, loc *time.Location) []Item {
	var made []Item
	for _, r := range recipients {
		item := Item{
			ID: m.ID, Person: r.person.ID, For: r.forPerson, Name: m.Name, Phone: m.Phone,
			Kind: m.Kind, About: m.About, Link: m.Link, Urgent: m.Urgent, At: m.At, NotAfter: m.NotAfter, Text: m.Text, Short: m.Short,
			State: StatePage,
		}
		if item.Short == nil {
			item.Short = m.Text
		}
		if r.forPerson != "" {
			item.ID, item.Name, item.Phone = uuid.NewSHA1(m.ID, []byte(r.person.ID)), "", ""
		}
		switch route(r, sms, len(recipients) > 1) {
		case WaySMS:
			item.State, item.DueAt = StateToSend, sendAt(now, item.Urgent, loc)
			if !item.DueAt.Before(item.NotAfter) {
				item.State, item.DueAt = StatePage, time.Time{} // by then it is of no use
			}
		case WayCall:
			item.State = StateToCall
		}
		made = append(made, item)
	}
	return made
}

// route says how somebody is told beside the page. Somebody without a phone is
// told by the front desk, unless who acts for them is told.
func route(r recipient, sms, othersTold bool) Way {
	switch {
	case r.person.Phone == "" && (r.forPerson != "" || othersTold):
		return WayPage
	case r.person.Phone == "", r.Way == WayCall:
		return WayCall
	case r.Way == WaySMS && sms:
		return WaySMS
	}
	return WayPage
}

// sendAt is when somebody's phone may ring for something of now.
func sendAt(now time.Time, urgent bool, loc *time.Location) time.Time {
	local := now.In(loc)
	morning := time.Date(local.Year(), local.Month(), local.Day(), quietTo, 0, 0, 0, loc)
	switch {
	case urgent:
		return now
	case local.Hour() >= quietFrom:
		return morning.AddDate(0, 0, 1)
	case local.Hour() < quietTo:
		return morning
	}
	return now
}

// mayActFor reports whether somebody may act for the person with an ID.
func mayActFor(k identity.Known, person string) bool {
	return slices.ContainsFunc(k.Household, func(p identity.Represented) bool { return p.Person.ID == person })
}

// inLanguage is a text in a language, or else in Chinese.
func inLanguage(texts map[string]string, lang web.Language) string {
	if text := texts[string(lang)]; text != "" {
		return text
	}
	return texts[string(web.Chinese)]
}
