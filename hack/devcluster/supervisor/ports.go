package supervisor

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/linli-io/linli/hack/devcluster/controlplane"
)

// CheckPorts returns an error that names every port that somebody else holds,
// the holder where /proc tells it, and the variable that moves the port.
func CheckPorts(l controlplane.Layout) error {
	var taken []error
	for _, port := range l.Ports() {
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port.Number))
		if err == nil {
			listener.Close()
			continue
		}
		taken = append(taken, fmt.Errorf("port %d of 127.0.0.1, meant for %s, cannot be used: %s; stop that or choose another port with %s",
			port.Number, port.Of, holder(port.Number, err), port.Variable))
	}
	return errors.Join(taken...)
}

// holder describes who listens on a port of the loopback address, or repeats
// the error if that is not to be found out.
func holder(port int, cause error) string {
	inode := listeningInode(port)
	if inode == "" {
		return cause.Error()
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return cause.Error()
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid := strings.Split(link, "/")[2]
		command, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
		if err != nil {
			return "process " + pid + " has it"
		}
		words := strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
		if len(words) > 100 {
			words = words[:100] + "…"
		}
		return fmt.Sprintf("process %s has it (%s)", pid, words)
	}
	return "another user's process has it"
}

// listeningInode finds the socket that listens on the port, of the loopback
// address or of all, in the kernel's table; empty if there is none.
func listeningInode(port int) string {
	const listen = "0A"
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != listen {
				continue
			}
			_, hex, _ := strings.Cut(fields[1], ":")
			if number, err := strconv.ParseUint(hex, 16, 16); err == nil && int(number) == port {
				return fields[9]
			}
		}
	}
	return ""
}
