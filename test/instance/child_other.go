//go:build !linux

package instance

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
