// Package fetch downloads bills over the channels' own protocols: WeChat Pay v3
// and v2, and Alipay.
//
// The words of this room:
//
//   - a protocol asks a channel for a bill and hands back its bytes as they come;
//   - a host is one of the addresses of a channel: WeChat has two, which are raced;
//   - a bill is ready, not ready yet, or there is none for that day: three states,
//     and anything else is an error;
//   - a note is the JSON file beside a bill, or in place of one where there is none.
//
// A bill lands whole or not at all: it is written beside its place, read and
// checked by package bill, synced, and only then given its name. A bill that is
// there already is never replaced: one that differs is kept beside it.
//
// Asking for a bill changes nothing at a channel, so that every call may be tried
// again; tries are bounded, and what cannot get better is not tried again. Clock,
// chance and HTTP client are handed in. Keys, signatures and the tokens in download
// URLs are in no error, log or note.
package fetch
