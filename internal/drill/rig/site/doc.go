// Package site is the rig's world: the servers that a config names, their
// processes where they belong to a sandbox on this machine, and proxies in front of
// them. What a fault is, in which order it is injected and how it is taken back is
// package rig's business; here a statement is sent and a process is signalled.
//
// Servers are reached as an administrator (admin_dsn), one connection a question,
// since a server that is broken must not hold up the next question. Passwords stay
// in the config: no error and no journal holds one.
package site
