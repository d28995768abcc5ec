// Copyright 2026 the Sluice authors. MIT license.

// echo PORT: an echo in Go, a goroutine for each connection, on one processor.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "usage: %s PORT\n", os.Args[0])
		os.Exit(2)
	}
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp4", "127.0.0.1:"+os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		listener.Close()
	}()
	if os.Args[1] == "0" {
		fmt.Printf("tcp:%s\n", listener.Addr())
	}
	fmt.Println("ready")
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go serve(conn)
	}
}

// serve gives back what comes, and ends when the client has. A connection that breaks is dropped.
func serve(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, 64*1024)
	for {
		size, err := conn.Read(buffer)
		if size > 0 {
			if _, failed := conn.Write(buffer[:size]); failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
