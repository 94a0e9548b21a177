package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Virtual threads. The Java that has them runs these tests with one carrier thread for all, so that a call that kept it would
 * stop every other.
 */
@Tag("java-21")
@ExtendWith(Emulator.Fresh.class)
class VirtualThreadTest {
    // By reflection: the tests are compiled for Java 17.
    private static ExecutorService virtual() throws Exception {
        assertEquals("1", System.getProperty("jdk.virtualThreadScheduler.parallelism"), "one carrier for all");
        assertEquals("1", System.getProperty("jdk.virtualThreadScheduler.maxPoolSize"), "and no other comes");
        return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }

    @Test
    void twoHundredThatNeedTheFirstTokenCostOneMint(Emulator emulator) throws Exception {
        emulator.post("/faults", Emulator.latency(300));
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            ExecutorService threads = virtual();
            List<Future<String>> asked = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                asked.add(threads.submit(() -> client.token()));
            }
            Set<String> tokens = new HashSet<>();
            for (Future<String> one : asked) {
                tokens.add(one.get(30, TimeUnit.SECONDS));
            }
            threads.shutdown();
            assertEquals(1, tokens.size());
            assertEquals(1, emulator.mints());
        }
    }

    @Test
    void oneThatWaitsGivesItsCarrierBack(Emulator emulator) throws Exception {
        emulator.post("/faults", Map.of("action", Map.of("kind", "hang")));
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        ExecutorService threads = virtual();
        CountDownLatch begun = new CountDownLatch(200);
        List<Future<?>> waiting = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            int way = i % 3;
            waiting.add(threads.submit(() -> {
                begun.countDown();
                try {
                    if (way == 0) {
                        client.token();
                    } else if (way == 1) {
                        client.connectParams();
                    } else {
                        client.credentialAsync().get();
                    }
                } catch (LakekeyException.Cancelled | InterruptedException interrupted) {
                    return "interrupted";
                }
                return "answered";
            }));
        }
        assertTrue(begun.await(20, TimeUnit.SECONDS), "all 200 came to run, on one carrier");
        Emulator.until(() -> emulator.total() > 0);
        assertEquals("ran", threads.submit(() -> "ran").get(20, TimeUnit.SECONDS), "and so does one more");
        threads.shutdownNow();
        for (Future<?> one : waiting) {
            assertEquals("interrupted", one.get(20, TimeUnit.SECONDS));
        }
        client.close();
    }

    @Test
    void aProviderMayBeAskedFromThem(Emulator emulator) throws Exception {
        ExecutorService threads = virtual();
        List<Future<String>> asked = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            asked.add(threads.submit(() -> {
                try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
                    return client.token();
                }
            }));
        }
        for (Future<String> one : asked) {
            one.get(30, TimeUnit.SECONDS);
        }
        threads.shutdown();
    }
}
