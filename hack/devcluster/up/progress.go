package up

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
	"github.com/linli-io/linli/hack/devcluster/supervisor"
)

// progress tells people what happens, in lines, because output often goes to a
// file.
type progress struct {
	w        io.Writer
	began    time.Time
	last     string
	lastTime time.Time
}

// repeat is after how long a line that has not changed is said again.
const repeat = 10 * time.Second

func newProgress(w io.Writer) *progress {
	return &progress{w: w, began: time.Now()}
}

// step announces what is done next.
func (p *progress) step(format string, values ...any) {
	fmt.Fprintf(p.w, format+" ...\n", values...)
	p.last, p.lastTime = "", time.Now()
}

// waiting says what is waited for and for how long in all, when it changes and
// now and then. It is called again and again.
func (p *progress) waiting(format string, values ...any) {
	line := fmt.Sprintf(format, values...)
	switch now := time.Now(); {
	case p.last == "" && now.Sub(p.lastTime) < time.Second:
		return // most waits are short
	case line == p.last && now.Sub(p.lastTime) < repeat:
		return
	}
	p.last, p.lastTime = line, time.Now()
	fmt.Fprintf(p.w, "  %s (%d s)\n", line, p.seconds())
}

func (p *progress) print(format string, values ...any) {
	fmt.Fprintf(p.w, format+"\n", values...)
}

func (p *progress) seconds() int { return int(time.Since(p.began).Seconds()) }

// logTail returns the last lines of a log, indented.
func logTail(l controlplane.Layout, name string) string {
	data, err := os.ReadFile(supervisor.LogFile(l, name))
	if err != nil {
		return "  " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) > 10 {
		lines = lines[len(lines)-10:]
	}
	return "  " + strings.Join(lines, "\n  ")
}
