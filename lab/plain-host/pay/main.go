package main

import (
	"database/sql"
	"fmt"
	_ "github.com/go-sql-driver/mysql"
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"time"
)

func main() {
	db, err := sql.Open("mysql", "shop:shop@tcp(127.0.0.1:3306)/shop?interpolateParams=true")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	hc := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	http.HandleFunc("/pay/", func(w http.ResponseWriter, q *http.Request) {
		if d, e := time.ParseDuration(os.Getenv("PAY_SLEEP")); e == nil {
			time.Sleep(d)
		}
		item := rand.Intn(2000)
		resp, err := hc.Get(fmt.Sprintf("http://127.0.0.1:8001/api/items/%d", item))
		if err != nil {
			http.Error(w, err.Error(), 502)
			return
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode >= 500 {
			http.Error(w, "catalog", 502)
			return
		}
		if _, err = db.Exec("insert into payments(item, amount) values(?, ?)", item, rand.Intn(100)); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		var n int
		if err = db.QueryRow("select count(*) from payments where id > (select max(id) from payments) - 100 and item = ?", item).Scan(&n); err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		fmt.Fprintf(w, "{\"paid\":%d}", n)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8200", nil))
}
