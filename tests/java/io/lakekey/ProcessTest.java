package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;

/** What lakekey does to the process that it is in: its threads, its memory, its end. */
@ExtendWith(Emulator.Fresh.class)
class ProcessTest {
    /** The names of the threads that the JVM knows. */
    private static Set<String> threads() {
        long[] ids = ManagementFactory.getThreadMXBean().getAllThreadIds();
        return Arrays.stream(ManagementFactory.getThreadMXBean().getThreadInfo(ids))
                .filter(info -> info != null)
                .map(info -> info.getThreadName())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** Makes a client and looks at the threads of the process. */
    static final class Quiet {
        public static void main(String[] arguments) throws Exception {
            Set<String> before = threads();
            long tasks = tasks();
            LakekeyClient client = LakekeyClient.create();
            Set<String> made = threads();
            made.removeAll(before);
            System.out.println("new threads " + made + " " + (tasks() - tasks) + " " + Native.hasThreads());
            client.token();
            System.out.println("working " + Native.hasThreads());
        }

        private static long tasks() throws Exception {
            try (var all = Files.list(Path.of("/proc/self/task"))) {
                return all.filter(task -> {
                            try {
                                return Files.readString(task.resolve("comm")).startsWith("lakekey");
                            } catch (java.io.IOException ended) {
                                return false;
                            }
                        })
                        .count();
            }
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void makingAClientStartsNoThread(Emulator emulator) throws Exception {
        Child.Told told = Child.run(emulator, Quiet.class);
        assertEquals(0, told.exit(), told.output());
        assertTrue(told.output().contains("new threads [] 0 false"), told.output());
        assertTrue(told.output().contains("working true"), told.output());
    }

    @Test
    void noThreadStaysAttachedToTheJvm(Emulator emulator) throws Exception {
        Set<String> before = threads();
        for (int i = 0; i < 20; i++) {
            try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
                client.token();
                client.connectParamsAsync().get(20, TimeUnit.SECONDS);
            }
        }
        Emulator.until(() -> {
            Set<String> now = threads();
            now.removeAll(before);
            now.removeIf(name -> name.startsWith("ForkJoinPool") || name.startsWith("HttpClient"));
            return now.isEmpty();
        });
    }

    /** Leaves main while a call waits for an answer that never comes, and a provider hangs. */
    static final class LeavesMain {
        public static void main(String[] arguments) throws Exception {
            LakekeyClient.create().tokenAsync();
            CountDownLatch asked = new CountDownLatch(1);
            LakekeyClient.create(ClientOptions.builder()
                            .host(System.getenv("DATABRICKS_HOST"))
                            .tokenProvider(() -> {
                                asked.countDown();
                                Thread.sleep(600_000);
                                return "never";
                            })
                            .build())
                    .tokenAsync();
            asked.await();
            System.out.println("left main");
        }
    }

    @Test
    void aProgramEndsThoughCallsAndProvidersHang(Emulator emulator) throws Exception {
        emulator.post("/faults", java.util.Map.of("action", java.util.Map.of("kind", "hang")));
        Child.Told told = Child.run(emulator, LeavesMain.class);
        assertEquals(0, told.exit(), told.output());
        assertTrue(told.output().contains("left main"), told.output());
        assertTrue(told.millis() < 20_000, "it ended at once and not at a time limit: " + told.millis() + " ms");
    }

    /** Exits while eight threads mint, invalidate and close as fast as they can. */
    static final class Exits {
        public static void main(String[] arguments) throws Exception {
            CountDownLatch going = new CountDownLatch(8);
            for (int i = 0; i < 8; i++) {
                Thread thread = new Thread(() -> {
                    while (true) {
                        try (LakekeyClient client = LakekeyClient.create()) {
                            client.invalidate(client.token());
                            client.tokenAsync();
                        } catch (LakekeyException ignored) {
                            // Its own mints are limited; that is none of this test's business.
                        }
                        going.countDown();
                    }
                });
                thread.setDaemon(true);
                thread.start();
            }
            going.await();
            System.exit(3);
        }
    }

    /** Exits while threads that the JVM would wait for wait for a mint that hangs. */
    static final class ExitsUnderAMint {
        public static void main(String[] arguments) throws Exception {
            LakekeyClient client = LakekeyClient.create();
            for (int i = 0; i < 4; i++) {
                new Thread(() -> {
                            try {
                                client.token();
                            } catch (LakekeyException late) {
                                System.out.println("nobody may be left to see this");
                            }
                        })
                        .start();
            }
            while (!Native.hasThreads()) {
                Thread.sleep(1);
            }
            Thread.sleep(200);
            System.exit(4);
        }
    }

    @Test
    void exitingWhileAMintHangsEndsAtOnce(Emulator emulator) throws Exception {
        emulator.post("/faults", java.util.Map.of("action", java.util.Map.of("kind", "hang")));
        Child.Told told = Child.run(emulator, ExitsUnderAMint.class);
        assertEquals(4, told.exit(), told.output());
        assertFalse(told.output().contains("nobody"), told.output());
        assertTrue(told.millis() < 8_000, "the mint is given up after ten seconds: " + told.millis() + " ms");
    }

    @Test
    void exitingInTheMiddleOfCallsCrashesNothing(Emulator emulator) throws Exception {
        for (int i = 0; i < 4; i++) {
            Child.Told told = Child.run(emulator, Exits.class, "-Xcheck:jni");
            assertEquals(3, told.exit(), told.output());
            assertFalse(told.output().contains("native method"), told.output());
        }
    }

    /** Opens and closes clients, with what they are used for, and says how the process's memory grew. */
    static final class OpensAndCloses {
        public static void main(String[] arguments) throws Exception {
            LakekeyClient kept = LakekeyClient.create();
            kept.token();
            round(5_000);
            long before = memory();
            round(10_000);
            System.out.println("grew by " + (memory() - before) + " kB");
        }

        private static void round(int times) {
            for (int i = 0; i < times; i++) {
                LakekeyClient client = LakekeyClient.create(
                        ClientOptions.builder().product("round/" + (i % 10)).build());
                if (i % 10 == 0) {
                    client.connectParams();
                    client.tokenAsync();
                }
                // Some are forgotten instead.
                if (i % 20 != 0) {
                    client.close();
                }
            }
        }

        private static long memory() throws Exception {
            // The forgotten ones are closed when a client is made.
            System.gc();
            Thread.sleep(100);
            LakekeyClient.create().close();
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("VmRSS:")) {
                    return Long.parseLong(line.replaceAll("[^0-9]", ""));
                }
            }
            throw new IllegalStateException("no VmRSS");
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void tenThousandClientsLeaveNoMemoryBehind(Emulator emulator) throws Exception {
        // The heap is whole from the beginning, so that what grows is not it.
        Child.Told told = Child.run(
                emulator, OpensAndCloses.class, "-Xms96m", "-Xmx96m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");
        assertEquals(0, told.exit(), told.output());
        long grew = Long.parseLong(told.output().replaceAll("(?s).*grew by (-?\\d+) kB.*", "$1"));
        assertTrue(grew < 4096, told.output());
        System.out.println("10,000 clients opened and closed: the process grew by " + grew + " kB in " + told.millis() + " ms");
    }
}
