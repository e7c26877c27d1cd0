import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Statements on orders, their lines and the stock, through pgbouncer. */
final class Store {
  private static final int CONNECTIONS = 6;
  private static final long WAIT_MS = 3_000;
  private static final int LINES_OF_CHATTY = 120;
  private static final String LINES = "select product, quantity, cents from lines where order_id = ?";
  private static final String BEST_CUSTOMERS =
      "select customer, count(distinct product), sum(quantity * cents) as spent from lines"
          + " join orders on orders.id = order_id where product >= ? group by customer order by spent desc limit 10";

  private final HikariDataSource pool = pool();
  private final Leak leak = new Leak();

  private static HikariDataSource pool() {
    var config = new HikariConfig();
    // pgbouncer gives each transaction any of its connections: statements prepared on one are unknown to the next.
    config.setJdbcUrl("jdbc:postgresql://127.0.0.1:6432/shop?sslmode=disable&prepareThreshold=0&ApplicationName=orders");
    config.setUsername("orders");
    config.setMaximumPoolSize(CONNECTIONS);
    config.setConnectionTimeout(WAIT_MS);
    return new HikariDataSource(config);
  }

  String order(int id) throws SQLException {
    return asked("select customer, placed from orders where id = ?", id) + asked(LINES, id);
  }

  String orderLineByLine(int id) throws SQLException {
    var order = new StringBuilder(asked("select customer, placed from orders where id = ?", id));
    for (var line = 0; line < LINES_OF_CHATTY; line++) {
      order.append(asked("select quantity, cents from lines where order_id = ? limit 1", id + line));
    }
    return order.toString();
  }

  String ordersOf(int customer) throws SQLException {
    return asked("select id, placed from orders where customer = ? order by id desc limit 20", customer);
  }

  String bestCustomers(int fromProduct) throws SQLException {
    return asked(BEST_CUSTOMERS, fromProduct);
  }

  String invoice(int id) throws SQLException {
    if (Flag.LEAK.isUp()) leak.keep(pool.getConnection());
    return asked("select sum(quantity * cents) from lines where order_id = ?", id);
  }

  String buy(int product) throws SQLException {
    return inTransaction(
        "update stock set pieces = pieces - 1 where product = " + product,
        "insert into orders(customer, placed) values(" + product % 5000 + ", now())",
        "insert into lines(order_id, product, quantity, cents) values(currval('orders_id_seq'), " + product + ", 1, 990)");
  }

  String refund(int product) throws SQLException {
    return inTransaction("update stock set pieces = pieces + 1 where product = " + product);
  }

  private String inTransaction(String... statements) throws SQLException {
    try (var connection = pool.getConnection()) {
      connection.setAutoCommit(false);
      for (var statement : statements) {
        try (var one = connection.createStatement()) {
          one.executeUpdate(statement);
        }
      }
      connection.commit();
      return "{}";
    }
  }

  private String asked(String statement, int value) throws SQLException {
    try (var connection = pool.getConnection();
        var prepared = connection.prepareStatement(statement)) {
      prepared.setInt(1, value);
      var text = new StringBuilder("[");
      try (var rows = prepared.executeQuery()) {
        var columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
          text.append(text.length() == 1 ? "[" : ",[");
          for (var column = 1; column <= columns; column++) {
            text.append(column == 1 ? "\"" : ",\"").append(rows.getString(column)).append('"');
          }
          text.append(']');
        }
      }
      return text.append(']').toString();
    }
  }

  /** Keeps connections while the flag is up. */
  private static final class Leak {
    private final List<Connection> kept = new ArrayList<>();

    Leak() {
      Flag.LEAK.watch(() -> {}, this::giveBack);
    }

    synchronized void keep(Connection connection) {
      kept.add(connection);
    }

    private synchronized void giveBack() {
      for (var connection : kept) {
        try {
          connection.close();
        } catch (SQLException gone) {
          // The pool makes another one.
        }
      }
      kept.clear();
    }
  }
}
