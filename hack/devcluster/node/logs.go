package node

import (
	"bytes"
	"os"
	"sync"
	"time"
)

// containerLog writes a container's output in the format that the kubelet reads:
// a line with time, stream and F for full or P for partial before each line.
type containerLog struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// reopen opens the file, again after the kubelet moved it away.
func (l *containerLog) reopen() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	return nil
}

func (l *containerLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

func (l *containerLog) write(stream, tag string, line []byte) {
	entry := make([]byte, 0, len(line)+64)
	entry = time.Now().AppendFormat(entry, time.RFC3339Nano)
	entry = append(entry, ' ')
	entry = append(entry, stream...)
	entry = append(entry, ' ')
	entry = append(entry, tag...)
	entry = append(entry, ' ')
	entry = append(entry, line...)
	entry = append(entry, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_, _ = l.file.Write(entry) // a full disk must not stop the process
	}
}

// maxLine is where a line is cut in two, in bytes.
const maxLine = 16 << 10

// logStream takes one stream of output and hands it on in lines.
type logStream struct {
	log  *containerLog
	name string

	mu      sync.Mutex
	pending []byte
}

func (l *containerLog) stream(name string) *logStream { return &logStream{log: l, name: name} }

func (s *logStream) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, data...)
	for {
		line, rest, full := bytes.Cut(s.pending, []byte{'\n'})
		switch {
		case len(line) > maxLine:
			s.log.write(s.name, "P", line[:maxLine])
			s.pending = s.pending[maxLine:]
		case full:
			s.log.write(s.name, "F", line)
			s.pending = rest
		default:
			s.pending = append([]byte(nil), s.pending...) // let go of what is written
			return len(data), nil
		}
	}
}

// flush writes a last line that has no end.
func (s *logStream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		s.log.write(s.name, "F", s.pending)
		s.pending = nil
	}
}
