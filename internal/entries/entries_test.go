package entries

import (
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
)

func TestWriterKeepsTheContract(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	e := pay.Entry{
		Kind: pay.EntryRefund, OrderNo: "2016091212154323221992", RefundNo: `R,"1"`, MerchantID: "m1", MerchantOrderNo: "A-1", TerminalID: "t",
		Channel: "wechat", Account: "mch1", ChannelTradeNo: "T", ChannelRefundNo: "CR", Amount: 100, Fee: 1, State: "done",
		Time: time.Date(2016, 9, 11, 16, 0, 0, 0, time.UTC),
	}
	if err := w.Write(e); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(pay.Entry{Kind: pay.EntryPay, OrderNo: "1"}); err == nil {
		t.Error("an entry without an amount was written")
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "kind,order_no,refund_no,merchant_id,merchant_order_no,terminal_id,channel,channel_trade_no,channel_refund_no,amount_fen,fee_fen,state,time,account\n" +
		"refund,2016091212154323221992,\"R,\"\"1\"\"\",m1,A-1,t,wechat,T,CR,100,1,done,2016-09-12T00:00:00+08:00,mch1\n"
	if out.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", out.String(), want)
	}
}
