package instance

import "syscall"

// dieWithParent makes a child end with the test that started it, however that
// one ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
