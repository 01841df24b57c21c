// Package rig holds a fault from before it is injected until it is proven gone.
//
// A Rig takes faults and groups, decides what would have to be undone, writes that
// to a journal, and only then breaks anything. Each fault goes six steps: prepare
// (look, and refuse what cannot be), inject, is it really there, recover, is it
// really gone, clean up. A fault without effect is an error of its own,
// NoEffectError: such a drill shows nothing.
//
// Four layers take a fault back. Some faults end with the process that makes them.
// Rig.Run undoes on every way out, a panic included. A watchdog, a process in a
// session of its own that is armed before the first injection, undoes from the
// journal when the drill's process ends, falls silent or exceeds its TTL. And a
// journal that is not clean refuses the next drill until Recover has settled it.
//
// Not here: how servers and processes are reached (package site), what a fault is
// called (package fault), load, stop conditions and verdicts.
//
// Vocabulary: the tool is the process that runs a drill. A step is one thing that a
// drill changes, with what undoes it. A journal is clean once all of its steps are
// proven gone, and dirty until then. A hold keeps new drills from beginning.
package rig
