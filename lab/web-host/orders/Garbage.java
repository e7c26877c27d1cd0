import java.util.ArrayDeque;
import java.util.Deque;

/** While its flag is up the heap is nearly full, of many small objects that all can be reached. */
final class Garbage {
  private static final double FULL = 0.93;
  private static final int CHUNK = 20_000;
  private static final int CHURN = 4;

  private final Deque<Object[]> kept = new ArrayDeque<>();

  static void watch() {
    var garbage = new Garbage();
    Flag.GARBAGE.watch(garbage::keep, garbage.kept::clear);
  }

  private void keep() {
    try {
      while (used() < FULL) kept.add(chunk());
      // What it makes besides is what makes the collector run.
      for (var made = 0; made < CHURN; made++) kept.add(chunk());
      for (var made = 0; made < CHURN && !kept.isEmpty(); made++) kept.remove();
    } catch (OutOfMemoryError full) {
      for (var less = 0; less < 8 && !kept.isEmpty(); less++) kept.remove();
    }
  }

  private static Object[] chunk() {
    var chunk = new Object[CHUNK];
    for (var i = 0; i < CHUNK; i++) chunk[i] = new long[1];
    return chunk;
  }

  private static double used() {
    var runtime = Runtime.getRuntime();
    return (double) (runtime.totalMemory() - runtime.freeMemory()) / runtime.maxMemory();
  }
}
