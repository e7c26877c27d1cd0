import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** What differs between the versions of orders: java -Drelease=... */
enum Release {
  GOOD,
  /** Signs each answer with many rounds. */
  SLOW,
  /** Asks for an order's lines one by one. */
  CHATTY;

  private static final int ROUNDS = 300_000;

  static Release current() {
    return valueOf(System.getProperty("release", "good").toUpperCase());
  }

  boolean asksLineByLine() {
    return this == CHATTY;
  }

  void check() {
    if (this != SLOW) return;
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      var sum = new byte[32];
      for (var round = 0; round < ROUNDS; round++) sum = digest.digest(sum);
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException(missing);
    }
  }
}
