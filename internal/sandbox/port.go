package sandbox

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Nodes listen below Linux's ephemeral ports (32768 and up): there an outgoing
// connection could take the port of a dead node, and a client that dials a
// dead node could even be connected to itself.
const (
	firstPort = 20000
	lastPort  = 32000 // exclusive
)

// choosePorts takes n ports that are free, from start upwards and round.
func choosePorts(n, start int, free func(port int) bool) ([]int, error) {
	var ports []int
	for i := 0; i < lastPort-firstPort && len(ports) < n; i++ {
		port := firstPort + (start-firstPort+i)%(lastPort-firstPort)
		if free(port) {
			ports = append(ports, port)
		}
	}
	if len(ports) < n {
		return nil, fmt.Errorf("choose ports: only %d of %d free between %d and %d: stop other programs or ask for fewer groups", len(ports), n, firstPort, lastPort-1)
	}
	return ports, nil
}

func portFree(port int) bool {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}

// awaitPort waits until a killed predecessor, which may look dead in /proc
// before its sockets and file locks are gone, has let go of the port.
func awaitPort(ctx context.Context, port int) error {
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := poll(short, func() (bool, error) { return portFree(port), nil })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("port %d is taken by another program: stop that program", port)
	}
	return err
}

// poll asks done again and again until it says yes, fails, or ctx ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
