// Package notify hands messages to people over to the service that brings them
// there. A message is written in the transaction that causes it, into an outbox
// in the same database, so that it exists when and only when what it tells of
// has happened. From there it is delivered in the background, at least once;
// its ID tells the receiver that it has it already.
package notify

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Name is the library's name among database.Options.Libraries.
const Name = "notify"

// Receiver is the service that brings messages to people, and ReceivePath where
// it takes them.
const (
	Receiver    = "messages"
	ReceivePath = "/" + Receiver + "/internal/v1/messages"
)

//go:embed migrations/*/*.sql
var migrationFiles embed.FS

// Migrations are those of the outbox, by engine.
func Migrations() (fs.FS, error) { return fs.Sub(migrationFiles, "migrations") }

// Message is something that somebody should know.
type Message struct {
	// ID is the message's for ever; Send sets it.
	ID uuid.UUID `json:"id"`
	// At is when it came about.
	At time.Time `json:"at"`
	// Person is the ID of who should know.
	Person string `json:"person"`
	// By is the ID of who asked for what it is about, such as a daughter who
	// booked. They are told as well, if they may act for the person; empty if
	// nobody else is.
	By string `json:"by,omitempty"`
	// Name and Phone are those of a guest, of whom there is no record; empty
	// for everybody else.
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Kind is what it is about, such as "booking-offer"; About is the ID of
	// that of which it tells. The same person is told of the same kind and ID
	// once within a short while.
	Kind  string `json:"kind"`
	About string `json:"about"`
	// Link is the path of the page on which to do something about it, or empty.
	Link string `json:"link,omitempty"`
	// Urgent says that it may come at night.
	Urgent bool `json:"urgent,omitempty"`
	// Text is what the person reads when signed in, by language (zh-CN and en).
	Text map[string]string `json:"text"`
	// Short is what is sent to a phone, where others may see it. Nil means
	// Text.
	Short map[string]string `json:"short,omitempty"`
	// NotAfter is when it is of no use any more.
	NotAfter time.Time `json:"notAfter"`
}

// languages are those in which every message is written.
var languages = []string{"zh-CN", "en"}

// Check says what a message lacks, or nil.
func (m Message) Check() error {
	if m.Person == "" || m.Kind == "" || m.About == "" {
		return errors.New("person, kind and about must be named")
	}
	if !m.NotAfter.After(m.At) {
		return errors.New("notAfter must be after at")
	}
	texts := []map[string]string{m.Text}
	if m.Short != nil {
		texts = append(texts, m.Short)
	}
	for _, language := range languages {
		for _, text := range texts {
			if text[language] == "" {
				return fmt.Errorf("the text in %s is missing", language)
			}
		}
	}
	return nil
}

// row is a message in the outbox.
type row struct {
	bun.BaseModel `bun:"table:notify_outbox"`

	ID       uuid.UUID `bun:",pk"`
	Person   string
	Message  string
	NotAfter int64
	DueAt    int64
	Attempts int
}

// Send puts a message into the outbox, in a transaction of database.DB.Write.
// It is delivered if and when the transaction is committed.
func Send(ctx context.Context, tx bun.Tx, m Message) error {
	if err := m.Check(); err != nil {
		return fmt.Errorf("message %s: %w", m.Kind, err)
	}
	var err error
	if m.ID, err = uuid.NewV7(); err != nil {
		return fmt.Errorf("message %s: %w", m.Kind, err)
	}
	content, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("message %s: %w", m.Kind, err)
	}
	r := row{ID: m.ID, Person: m.Person, Message: string(content), NotAfter: m.NotAfter.UnixMilli(), DueAt: m.At.UnixMilli()}
	if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
		return fmt.Errorf("message %s: %w", m.Kind, err)
	}
	return nil
}

// Forget takes back what was not delivered to a person yet, who is forgotten.
func Forget(ctx context.Context, tx bun.Tx, person string) error {
	if _, err := tx.NewDelete().Model((*row)(nil)).Where("person = ?", person).Exec(ctx); err != nil {
		return fmt.Errorf("messages to a person: %w", err)
	}
	return nil
}
