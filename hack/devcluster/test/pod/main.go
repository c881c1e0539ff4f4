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
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	address := flag.String("address", "", "where to listen; empty: print the arguments and end")
	directory := flag.String("directory", "", "directory whose files are served under /files/")
	termination := flag.String("termination-message", "", "file for the last words")
	stopping := flag.Duration("stopping", 0, "how long to take for stopping")
	flag.Parse()
	if *address == "" {
		fmt.Println(strings.Join(os.Args[1:], " "))
		return
	}
	var ready atomic.Bool
	ready.Store(true)
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "told not to be", http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("POST /ready/{is}", func(_ http.ResponseWriter, r *http.Request) {
		ready.Store(r.PathValue("is") == "true")
	})
	http.HandleFunc("POST /exit/{code}", func(_ http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil {
			log.Fatal(err)
		}
		words, err := io.ReadAll(r.Body)
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(*termination, words, 0o600); err != nil {
			log.Fatal(err)
		}
		os.Exit(code)
	})
	http.HandleFunc("GET /request", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"host": r.Host, "header": r.Header, "environment": os.Environ()})
	})
	http.Handle("GET /files/", http.StripPrefix("/files/", http.FileServer(http.Dir(*directory))))
	http.HandleFunc("PUT /files/{name}", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err == nil {
			err = os.WriteFile(*directory+"/"+r.PathValue("name"), data, 0o600)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { log.Fatal(http.ListenAndServe(*address, nil)) }()
	fmt.Println("listening on", *address)
	<-ctx.Done()
	fmt.Println("stopping")
	time.Sleep(*stopping)
	fmt.Println("stopped")
}
