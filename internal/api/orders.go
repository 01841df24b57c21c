package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"paytool/internal/api/limit"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// enter asks for a place in the gate and counts those who get none.
func (a *API) enter(ctx context.Context, c limit.Class) (limit.Pass, error) {
	arrived := a.Now()
	pass, err := a.Gate.Enter(ctx, c)
	return pass, a.rejected(c, arrived, err)
}

func (a *API) rejected(c limit.Class, arrived time.Time, err error) error {
	if turnedAway, ok := err.(*limit.Rejected); ok { //nolint:errorlint // made by package limit, never wrapped
		a.Meter.Rejected(c, turnedAway.Reason, a.Now().Sub(arrived))
	}
	return err
}

// finish is the context for work that changes something: once begun, it is not cut
// short because its caller hangs up, which would only leave a doubt behind. The
// engine's own time limits end it.
func finish(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

func (a *API) create(w http.ResponseWriter, r *http.Request) error {
	arrived := a.Now()
	if err := a.rejected(limit.Create, arrived, a.Gate.Full(limit.Create)); err != nil {
		return err
	}
	f, err := readBody(w, r)
	if err != nil {
		return err
	}
	req := order.Request{
		Key:    pay.Key{MerchantID: f.text("merchant_id"), MerchantOrderNo: f.text("merchant_order_no")},
		Amount: f.fen("amount_fen"), Channel: f.text("channel"), TerminalID: f.text("terminal_id"),
		Subject: f.text("subject"), NewAttempt: f.flag("new_attempt"),
	}
	if err := f.done(); err != nil {
		return err
	}
	req.Shadow = req.Key.MerchantID == pay.ShadowMerchant
	if err := a.Engine.Check(req); err != nil {
		return err
	}
	if err := a.rejected(limit.Create, arrived, a.Throttle.Allow(arrived, subjects(req)...)); err != nil {
		return err
	}
	created, err := a.createInTurn(r, req, arrived)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, created)
}

// createInTurn asks the engine once there is a place.
func (a *API) createInTurn(r *http.Request, req order.Request, arrived time.Time) (created order.Order, err error) {
	pass, err := a.enter(r.Context(), limit.Create)
	if err != nil {
		return created, err
	}
	done := false // a panic is none, and must not keep the place
	defer func() { pass.Leave(done) }()
	created, err = a.Engine.Create(finish(r), req)
	done = err == nil
	a.Meter.Created(created, req, err, a.Now().Sub(arrived))
	return created, err
}

// subjects are those whose rules a create has to keep.
func subjects(r order.Request) []limit.Subject {
	return []limit.Subject{{Kind: limit.Merchant, ID: r.Key.MerchantID}, {Kind: limit.Terminal, ID: r.TerminalID}, {Kind: limit.Channel, ID: r.Channel}}
}

func (a *API) get(w http.ResponseWriter, r *http.Request) error {
	no, err := orderNo(r)
	if err != nil {
		return err
	}
	pass, err := a.enter(r.Context(), limit.Read)
	if err != nil {
		return err
	}
	defer pass.Leave(true)
	o, err := a.Engine.Get(r.Context(), no)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, o)
}

func (a *API) trace(w http.ResponseWriter, r *http.Request) error {
	no, err := orderNo(r)
	if err != nil {
		return err
	}
	pass, err := a.enter(r.Context(), limit.Read)
	if err != nil {
		return err
	}
	defer pass.Leave(true)
	t, err := a.Engine.Trace(r.Context(), no)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, t)
}

// defaultPage is how many orders a list has where nobody says.
const defaultPage = 50

func (a *API) list(w http.ResponseWriter, r *http.Request) error {
	f, err := readQuery(r)
	if err != nil {
		return err
	}
	q := order.ListQuery{Merchant: f.text("merchant_id"), State: pay.State(f.text("state")), Limit: defaultPage}
	q.Shadow = q.Merchant == pay.ShadowMerchant
	q.From, q.To = f.when("from"), f.when("to")
	if n := f.text("limit"); n != "" {
		if q.Limit, err = strconv.Atoi(n); err != nil {
			f.refuse(pay.CodeInvalidField, "limit", "wants a whole number")
		}
	}
	after := f.text("after")
	if err := f.done(); err != nil {
		return err
	}
	if q.After, err = order.ParseCursor(after); err != nil {
		return err
	}
	pass, err := a.enter(r.Context(), limit.Read)
	if err != nil {
		return err
	}
	defer pass.Leave(true)
	page, err := a.Engine.List(r.Context(), q)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, page)
}

// when is a member with an instant or a date (its beginning in Beijing).
func (f *fields) when(name string) time.Time {
	text := f.text(name)
	if text == "" {
		return time.Time{}
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, pay.Beijing); err == nil {
		return t
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		f.refuse(pay.CodeInvalidField, name, "wants a date like 2026-11-22 or an instant like 2026-11-22T08:00:00+08:00")
	}
	return t
}

func (a *API) pay(w http.ResponseWriter, r *http.Request) error {
	no, err := orderNo(r)
	if err != nil {
		return err
	}
	f, err := readBody(w, r)
	if err != nil {
		return err
	}
	req := order.PayRequest{AuthCode: order.AuthCode(f.text("auth_code")), Channel: f.text("channel"), ConfirmRisk: f.flag("confirm_risk")}
	if err := pay.CheckField("auth_code", string(req.AuthCode), 1, maxAuthCode); err != nil {
		f.refuse(pay.CodeInvalidField, "auth_code", "wants 1 to "+strconv.Itoa(maxAuthCode)+" characters")
	}
	if err := f.done(); err != nil {
		return err
	}
	pass, err := a.enter(r.Context(), limit.Update)
	if err != nil {
		return err
	}
	defer pass.Leave(true)
	o, err := a.Engine.Pay(finish(r), no, req)
	if err != nil {
		return err
	}
	return writeJSON(w, orderStatus(o), o)
}

// maxAuthCode is in characters; the channels' own codes have 16 to 24 digits.
const maxAuthCode = 128

func (a *API) revoke(w http.ResponseWriter, r *http.Request) error {
	no, err := orderNo(r)
	if err != nil {
		return err
	}
	f, err := readBody(w, r)
	if err != nil {
		return err
	}
	if err := f.done(); err != nil {
		return err
	}
	pass, err := a.enter(r.Context(), limit.Update)
	if err != nil {
		return err
	}
	defer pass.Leave(true)
	o, err := a.Engine.Revoke(finish(r), no)
	if err != nil {
		return err
	}
	return writeJSON(w, orderStatus(o), o)
}

func (a *API) refund(w http.ResponseWriter, r *http.Request) error {
	no, err := orderNo(r)
	if err != nil {
		return err
	}
	f, err := readBody(w, r)
	if err != nil {
		return err
	}
	req := order.RefundRequest{No: f.text("refund_no"), Amount: f.fen("amount_fen")}
	if err := f.done(); err != nil {
		return err
	}
	pass, err := a.enter(r.Context(), limit.Update)
	if err != nil {
		return err
	}
	defer pass.Leave(true)
	o, refund, err := a.Engine.Refund(finish(r), no, req)
	if err != nil {
		return err
	}
	status := http.StatusAccepted
	if refund.State.Ended() {
		status = http.StatusOK
	}
	return writeJSON(w, status, Refunded{Order: o, Refund: refund})
}

// Refunded is the answer to a refund.
type Refunded struct {
	Order  order.Order  `json:"order"`
	Refund order.Refund `json:"refund"`
}

// orderStatus is 202 while the order will still change by itself.
func orderStatus(o order.Order) int {
	if o.State == pay.Paying || o.State == pay.Revoking || o.Recording {
		return http.StatusAccepted
	}
	return http.StatusOK
}

func orderNo(r *http.Request) (pay.OrderNo, error) {
	no, err := pay.ParseOrderNo(r.PathValue("no"))
	if err != nil {
		return no, &order.Error{Code: pay.CodeInvalidOrderNo, Outcome: order.NotCommitted, Message: err.Error(), Err: err}
	}
	return no, nil
}
