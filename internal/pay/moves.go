package pay

// Mover is what may move an order from one state to the next.
type Mover string

// The movers of the table of moves.
const (
	ByCreate        Mover = "create"         // a new row
	ByPay           Mover = "pay"            // committed before the channel is called
	ByExpiry        Mover = "expiry"         // CREATED for too long
	ByCancel        Mover = "cancel"         // before anything was sent
	ByResolver      Mover = "resolver"       // settles a doubt
	BySweep         Mover = "sweep"          // finds twins after a group healed
	ByGuard         Mover = "guard"          // finds twins before a payment
	BySuccess       Mover = "success"        // a definite success of the channel
	ByFailure       Mover = "failure"        // a definite, whitelisted failure
	ByTimetable     Mover = "timetable"      // no definite answer in time, or PAYERROR
	ByCashier       Mover = "cashier"        // the cashier cancels
	ByChannel       Mover = "channel"        // the channel ended it by itself
	ByRevokeAnswer  Mover = "revoke_answer"  // the channel's definite answer to a revoke
	ByRevokeRefused Mover = "revoke_refused" // too late or a refund exists, and a query says SUCCESS
	ByMoneyBack     Mover = "money_back"     // the engine's task for a key that was paid twice
	BySupplement    Mover = "supplement"     // 补单, approved by two persons after a fresh query
)

// Move is one allowed move of an order. None as From stands for a new row.
type Move struct {
	From, To State
	By       Mover
	// Needs names the setting without which the move is refused, "" for none.
	Needs string
}

// None is the state before the first one.
const None State = ""

// SettingRevokePaid is the setting that lets a cashier revoke a paid order.
const SettingRevokePaid = "revoke_paid"

// moves is money rules, section 1, as data. What is not here is refused.
var moves = []Move{
	{From: None, To: Created, By: ByCreate},
	{From: Created, To: Paying, By: ByPay},
	{From: Created, To: Closed, By: ByExpiry},
	{From: Created, To: Closed, By: ByCancel},
	{From: Created, To: Void, By: ByResolver},
	{From: Created, To: Void, By: BySweep},
	{From: Created, To: Void, By: ByGuard},
	{From: Paying, To: Paid, By: BySuccess},
	{From: Paying, To: Closed, By: ByFailure},
	{From: Paying, To: Revoking, By: ByTimetable},
	{From: Paying, To: Revoking, By: ByCashier},
	{From: Paying, To: Revoked, By: ByChannel},
	{From: Paying, To: Closed, By: ByChannel},
	{From: Revoking, To: Revoked, By: ByRevokeAnswer},
	{From: Revoking, To: Paid, By: ByRevokeRefused},
	{From: Paid, To: Revoking, By: ByMoneyBack},
	{From: Paid, To: Revoking, By: ByCashier, Needs: SettingRevokePaid},
	{From: Void, To: Paid, By: BySupplement},
	{From: Closed, To: Paid, By: BySupplement},
	{From: Revoked, To: Paid, By: BySupplement},
}

// Moves returns a copy of the table of moves.
func Moves() []Move { return append([]Move(nil), moves...) }

// CheckMove returns the allowed move, or a *MoveError. A move that Needs a
// setting is returned all the same: the caller holds the setting.
func CheckMove(from, to State, by Mover) (Move, error) {
	for _, m := range moves {
		if m.From == from && m.To == to && m.By == by {
			return m, nil
		}
	}
	return Move{}, &MoveError{From: from, To: to, By: by}
}
