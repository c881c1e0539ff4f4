// Command pod is what the tests of the embedded cluster run in Pods.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	address := flag.String("address", "", "where to listen; empty: print the arguments and end")
	directory := flag.String("directory", "", "name=directory,... whose files are under /files/<name>/")
	termination := flag.String("termination-message", "", "file for the last words")
	stopping := flag.Duration("stopping", 0, "how long to take for stopping")
	flag.Parse()
	if *address == "" {
		fmt.Println(strings.Join(os.Args[1:], " "))
		return
	}
	var unready atomic.Bool
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if unready.Load() {
			http.Error(w, "told not to be", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("POST /ready/{is}", func(_ http.ResponseWriter, r *http.Request) {
		unready.Store(r.PathValue("is") != "true")
	})
	http.HandleFunc("POST /exit/{code}", func(_ http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err == nil {
			err = save(*termination, r.Body)
		}
		if err != nil {
			log.Fatal(err)
		}
		os.Exit(code)
	})
	http.HandleFunc("GET /request", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"host": r.Host, "header": r.Header, "environment": os.Environ()})
	})
	for entry := range strings.SplitSeq(*directory, ",") {
		name, dir, ok := strings.Cut(entry, "=")
		if !ok {
			continue
		}
		prefix := "/files/" + name + "/"
		http.Handle("GET "+prefix, http.StripPrefix(prefix, http.FileServer(http.Dir(dir))))
		http.HandleFunc("PUT "+prefix+"{file}", func(w http.ResponseWriter, r *http.Request) {
			if err := save(filepath.Join(dir, r.PathValue("file")), r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { log.Fatal(http.ListenAndServe(*address, nil)) }()
	fmt.Println("listening on", *address)
	<-ctx.Done()
	fmt.Println("stopping")
	time.Sleep(*stopping)
	fmt.Println("stopped")
}

func save(path string, from io.Reader) error {
	data, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
