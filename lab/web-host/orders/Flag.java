import java.nio.file.Files;
import java.nio.file.Path;

/** A fault that lasts as long as a file of its name is in the working folder. */
enum Flag {
  LEAK,
  GARBAGE,
  DEADLOCK;

  private static final long LOOK_MS = 100;

  private final Path file = Path.of(name().toLowerCase());

  boolean isUp() {
    return Files.exists(file);
  }

  /** Calls one of both again and again, in a thread of its own. */
  void watch(Runnable whileUp, Runnable whileDown) {
    var thread = new Thread(() -> {
      while (true) {
        (isUp() ? whileUp : whileDown).run();
        pause();
      }
    }, "flag-" + file);
    thread.setDaemon(true);
    thread.start();
  }

  private static void pause() {
    try {
      Thread.sleep(LOOK_MS);
    } catch (InterruptedException stop) {
      throw new IllegalStateException(stop);
    }
  }
}
