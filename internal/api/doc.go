// Package api is the order engine's HTTP API.
//
// What happens here: reading requests strictly, who may send them, what is taken on
// and what is turned away (with package limit), status codes, and the description in
// openapi.yaml, against which a test holds every answer. What does not: deciding
// anything about an order (package order), listening, signals and files (cmd), and
// knowing how figures are kept (a Meter does).
//
// Status codes say what a caller has to do:
//
//	200  done, and the order is as shown
//	202  under way: the order is as shown and will change; ask again
//	4xx  refused: the same request would be refused again
//	429  a merchant, terminal or channel has had its share; after Retry-After
//	503  not done: after Retry-After the same request may be taken
//	500, 504  what became of it is not known: send the same request again
//
// What is not known is never called failed. Creates are safe to send again by their
// key, payments and revokes by the order, refunds by their number.
package api
