package instance

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// offered counts where ports were looked for, so that none is offered twice
// before it is used.
var offered atomic.Int64

// FreePorts finds n ports in a row on loopback that nobody uses, and returns
// the first. They lie outside of the range from which Linux takes the ports of
// outgoing connections, so that none of those takes one meanwhile. Where to
// look first is the process' own, for those that look at the same time.
func FreePorts(n int) (int, error) {
	const first, last = 20000, 30000
	for range (last - first) / n {
		from := first + (os.Getpid()*10+int(offered.Add(int64(n))))%(last-first-n)
		free := true
		for port := from; port < from+n && free; port++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return from, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row on 127.0.0.1 from %d to %d", n, first, last)
}
