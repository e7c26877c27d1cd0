/** Two sums that change together, each under its lock. */
final class Ledger {
  private static final long WRONG_ORDER_MS = 20;

  private final Object stock = new Object();
  private final Object money = new Object();
  private long pieces;
  private long cents;

  void sold() throws InterruptedException {
    synchronized (stock) {
      pieces--;
      dawdle();
      synchronized (money) {
        cents += 990;
      }
    }
  }

  void refunded() throws InterruptedException {
    if (!Flag.DEADLOCK.isUp()) {
      synchronized (stock) {
        synchronized (money) {
          refund();
        }
      }
      return;
    }
    // The other order than in sold(): both wait for each other for ever.
    synchronized (money) {
      dawdle();
      synchronized (stock) {
        refund();
      }
    }
  }

  private void refund() {
    pieces++;
    cents -= 990;
  }

  /** Time between both locks, so that the other one comes between soon. */
  private static void dawdle() throws InterruptedException {
    if (Flag.DEADLOCK.isUp()) Thread.sleep(WRONG_ORDER_MS);
  }
}
