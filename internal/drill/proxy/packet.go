package proxy

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"strings"
)

const (
	headerSize = 4  // three bytes of length, one of sequence
	peekSize   = 64 // of a packet's content: a COMMIT with ample space around
	bufferSize = 16 << 10

	comQuit         = 0x01
	comQuery        = 0x03
	comStmtLongData = 0x18
	comStmtClose    = 0x19

	clientCompress = 0x20
	clientTLS      = 0x800
)

// kind is what the proxy needs to know of a client's packet.
type kind int

const (
	part      kind = iota // of the handshake, or of a statement that began before
	notice                // a command that has no answer
	statement             // a command that has one
	commit
)

// packet is the beginning of a packet that lies in the reader's buffer, header
// included.
type packet struct {
	size int // header included
	head []byte
}

// peek waits for the beginning of the next packet and leaves it in the reader.
// The head is valid until the next read.
func peek(r *bufio.Reader) (packet, error) {
	header, err := r.Peek(headerSize)
	if err != nil {
		return packet{}, err
	}
	content := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	head, err := r.Peek(headerSize + min(content, peekSize))
	if err != nil {
		return packet{}, err
	}
	return packet{size: headerSize + content, head: head}, nil
}

// kind tells commands from all else by the sequence number: a command begins at
// 0, and a client's packets in the handshake never do, as the server begins it.
func (p packet) kind() kind {
	content := p.head[headerSize:]
	if p.head[3] != 0 || len(content) == 0 {
		return part
	}
	switch content[0] {
	case comQuit, comStmtClose, comStmtLongData:
		return notice
	case comQuery:
		if p.size <= headerSize+peekSize && isCommit(content[1:]) {
			return commit
		}
	}
	return statement
}

func isCommit(query []byte) bool {
	text := bytes.TrimSuffix(bytes.TrimSpace(query), []byte(";"))
	return strings.EqualFold(string(bytes.TrimSpace(text)), "COMMIT")
}

// unreadable says what the client asks for, in its first packet, that would hide
// its statements from the proxy, or "".
func (p packet) unreadable() string {
	content := p.head[headerSize:]
	if len(content) < 4 {
		return ""
	}
	switch flags := binary.LittleEndian.Uint32(content); {
	case flags&clientTLS != 0:
		return "TLS"
	case flags&clientCompress != 0:
		return "compression"
	}
	return ""
}
