package recon

import (
	"time"

	"paytool/internal/bill"
	"paytool/internal/entries"
	"paytool/internal/pay"
)

// tradeRow copies a row of a trade bill.
func tradeRow(file string, r *bill.Row) Row {
	return Row{
		Side: Trade, Kind: r.Kind, OrderNo: string(r.OrderNo), RefundNo: string(r.RefundNo), ChannelTradeNo: string(r.ChannelTradeNo),
		ChannelRefundNo: string(r.ChannelRefundNo), Amount: r.Amount, Settle: r.Settle, Fee: r.Fee, Rate: string(r.Rate), State: string(r.State),
		Time: r.Time, File: file, Line: r.Line,
	}
}

// fundRow copies a row of a fund bill.
func fundRow(file string, r *bill.Row) Row {
	row := tradeRow(file, r)
	row.Side, row.Business = Fund, string(r.Business)
	return row
}

// ourRow copies an entry of ours.
func ourRow(file string, r *entries.Row) Row {
	return Row{
		Side: Ours, Kind: r.Kind, OrderNo: string(r.OrderNo), RefundNo: string(r.RefundNo), ChannelTradeNo: string(r.ChannelTradeNo),
		ChannelRefundNo: string(r.ChannelRefundNo), MerchantID: string(r.MerchantID), MerchantOrderNo: string(r.MerchantOrderNo),
		Amount: r.Amount, Product: string(r.Product), State: r.State, Time: time.Unix(r.Second, 0).In(pay.Beijing), File: file, Line: r.Line,
	}
}
