package io.lakekey;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A Java program of its own: what a whole process does cannot be seen from inside the tests' own. */
final class Child {
    /** What it said and how it ended. */
    record Told(int exit, String output, long millis) {}

    private Child() {}

    /** This very Java, with the classes of the tests. */
    static List<String> command(Class<?> main, List<String> options) {
        List<String> line = new ArrayList<>();
        line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        line.addAll(options);
        line.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        return line;
    }

    /** Runs it with the emulator's variables; one that does not end within a minute is killed and fails. */
    static Told run(Emulator emulator, List<String> command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        if (emulator != null) {
            emulator.point(builder.environment());
            builder.environment().put("LAKEBASE_ENDPOINT", "projects/shop/branches/production");
        }
        long begun = System.nanoTime();
        Process process = builder.start();
        process.getOutputStream().close();
        CompletableFuture<String> output = CompletableFuture.supplyAsync(() -> {
            try {
                return new String(process.getInputStream().readAllBytes());
            } catch (IOException gone) {
                return "";
            }
        });
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
            throw new AssertionError("the program did not end within a minute: " + output.get(5, TimeUnit.SECONDS));
        }
        long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
        return new Told(process.exitValue(), output.get(5, TimeUnit.SECONDS), millis);
    }

    static Told run(Emulator emulator, Class<?> main, String... options) throws Exception {
        return run(emulator, command(main, List.of(options)));
    }

    static Map<String, String> environment() {
        return System.getenv();
    }
}
