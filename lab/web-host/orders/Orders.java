import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.concurrent.Executors;

/** Orders over HTTP: 16 threads in front of six connections. Answers 503 when there is none for three seconds. */
public final class Orders {
  private static final int BACKLOG = 512;

  private final Store store = new Store();
  private final Ledger ledger = new Ledger();
  private final Release release = Release.current();

  interface Answer {
    String of(int number) throws SQLException, InterruptedException;
  }

  public static void main(String[] args) throws IOException {
    Garbage.watch();
    var orders = new Orders();
    var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 8301), BACKLOG);
    server.setExecutor(Executors.newFixedThreadPool(16));
    orders.route(server, "/orders/", orders::order);
    orders.route(server, "/customers/", orders.store::ordersOf);
    orders.route(server, "/invoices/", orders.store::invoice);
    orders.route(server, "/best-customers/", orders.store::bestCustomers);
    orders.route(server, "/buy/", orders::buy);
    orders.route(server, "/refund/", orders::refund);
    server.start();
  }

  private String order(int id) throws SQLException {
    release.check();
    return release.asksLineByLine() ? store.orderLineByLine(id) : store.order(id);
  }

  private String buy(int product) throws SQLException, InterruptedException {
    release.check();
    var bought = store.buy(product);
    ledger.sold();
    return bought;
  }

  private String refund(int product) throws SQLException, InterruptedException {
    var refunded = store.refund(product);
    ledger.refunded();
    return refunded;
  }

  /** Each path ends with a number: /orders/17. */
  private void route(HttpServer server, String prefix, Answer answer) {
    server.createContext(prefix, exchange -> {
      try {
        send(exchange, 200, answer.of(Integer.parseInt(exchange.getRequestURI().getPath().substring(prefix.length()))));
      } catch (Exception | OutOfMemoryError failure) {
        send(exchange, 503, "{\"error\":\"" + failure.getClass().getSimpleName() + "\"}");
      }
    });
  }

  private static void send(HttpExchange exchange, int status, String text) throws IOException {
    try (exchange) {
      exchange.getRequestBody().readAllBytes();
      var body = text.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    }
  }
}
