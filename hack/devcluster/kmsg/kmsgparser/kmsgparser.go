// Package kmsgparser stands in for github.com/euank/go-kmsg-parser, through
// which the kubelet reads the kernel's log to learn of processes that were
// killed for want of memory. Only root may read that log, and the kubelet does
// not start without it; this one reads nothing.
package kmsgparser

import "time"

// Parser reads messages of the kernel.
type Parser interface {
	SeekEnd() error
	Parse() <-chan Message
	SetLogger(Logger)
	Close() error
}

// Message is one message of the kernel.
type Message struct {
	Priority       int
	SequenceNumber int
	Timestamp      time.Time
	Message        string
}

// Logger takes complaints about messages that could not be read.
type Logger interface {
	Warningf(string, ...any)
	Infof(string, ...any)
	Errorf(string, ...any)
}

type silent struct{}

// NewParser returns a parser of no messages.
func NewParser() (Parser, error) { return silent{}, nil }

func (silent) SeekEnd() error        { return nil }
func (silent) Parse() <-chan Message { return make(chan Message) }
func (silent) SetLogger(Logger)      {}
func (silent) Close() error          { return nil }
