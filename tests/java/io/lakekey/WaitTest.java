package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Giving up a wait: by an interrupt, by cancelling a future, by closing the client. */
@ExtendWith(Emulator.Fresh.class)
class WaitTest {
    /** A call on a thread of its own, once it waits for the control plane. */
    private static <T> Map.Entry<Thread, FutureTask<T>> waiting(Emulator emulator, java.util.concurrent.Callable<T> call)
            throws Exception {
        FutureTask<T> task = new FutureTask<>(call);
        Thread thread = new Thread(task);
        int before = emulator.total();
        thread.start();
        Emulator.until(() -> emulator.total() > before);
        return Map.entry(thread, task);
    }

    @Test
    void anInterruptEndsTheWaitAndStaysPending(Emulator emulator) throws Exception {
        emulator.post("/faults", Emulator.latency(10_000));
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            var waiting = waiting(emulator, () -> {
                try {
                    return client.token();
                } catch (LakekeyException.Cancelled cancelled) {
                    return cancelled.slug() + Thread.currentThread().isInterrupted()
                            + (cancelled.getCause() instanceof InterruptedException);
                }
            });
            long begun = System.nanoTime();
            waiting.getKey().interrupt();
            assertEquals("CANCELLEDtruetrue", waiting.getValue().get(20, TimeUnit.SECONDS));
            assertTrue(System.nanoTime() - begun < 5_000_000_000L);
        }
    }

    @Test
    void aThreadThatIsInterruptedAlreadyStillGetsWhatIsAtHand(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            String token = client.token();
            Thread.currentThread().interrupt();
            assertEquals(token, client.credential().token());
            assertTrue(Thread.interrupted());
        }
    }

    @Test
    void oneInterruptedCallerLeavesTheOthersTheirMint(Emulator emulator) throws Exception {
        emulator.post("/faults", Emulator.latency(700));
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            var first = waiting(emulator, client::token);
            CompletableFuture<String> second = client.tokenAsync();
            first.getKey().interrupt();
            assertThrows(ExecutionException.class, () -> first.getValue().get(20, TimeUnit.SECONDS));
            assertEquals(3, second.get(20, TimeUnit.SECONDS).split("\\.").length);
            assertEquals(1, emulator.mints());
        }
    }

    @Test
    void aCancelledFutureEndsItsWaitAndNobodyElses(Emulator emulator) throws Exception {
        emulator.post("/faults", Emulator.latency(700));
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            CompletableFuture<String> first = client.tokenAsync();
            CompletableFuture<Credential> second = client.credentialAsync();
            assertTrue(first.cancel(false));
            assertTrue(first.isCancelled());
            assertEquals(3, second.get(20, TimeUnit.SECONDS).token().split("\\.").length);
            assertEquals(1, emulator.mints());
        }
    }

    @Test
    void aFutureThatTimesOutEndsItsWait(Emulator emulator) throws Exception {
        emulator.post("/faults", Map.of("action", Map.of("kind", "hang")));
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            CompletableFuture<String> late = client.tokenAsync().orTimeout(100, TimeUnit.MILLISECONDS);
            ExecutionException failed = assertThrows(ExecutionException.class, () -> late.get(20, TimeUnit.SECONDS));
            assertInstanceOf(java.util.concurrent.TimeoutException.class, failed.getCause());
        }
    }

    @Test
    void closingDuringACallEndsTheCallByItself(Emulator emulator) throws Exception {
        emulator.post("/faults", Emulator.latency(500));
        for (int i = 0; i < 3; i++) {
            LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
            var waiting = waiting(emulator, client::token);
            CompletableFuture<Credential> later = client.credentialAsync();
            client.close();
            for (var outcome : java.util.List.of(waiting.getValue(), later)) {
                try {
                    outcome.get(20, TimeUnit.SECONDS);
                } catch (ExecutionException failed) {
                    assertInstanceOf(LakekeyException.Closed.class, failed.getCause());
                }
            }
            assertThrows(LakekeyException.Closed.class, client::token);
        }
    }

    @Test
    void aClosedClientSaysSoInEveryMethod(Emulator emulator) throws Exception {
        LakekeyClient client = LakekeyClient.create(emulator.stranger().build());
        String token = client.token();
        assertEquals(token, client.token());
        client.close();
        client.close();
        assertThrows(LakekeyException.Closed.class, client::token);
        assertThrows(LakekeyException.Closed.class, client::credential);
        assertThrows(LakekeyException.Closed.class, client::connectParams);
        assertThrows(LakekeyException.Closed.class, client::prepare);
        assertThrows(LakekeyException.Closed.class, () -> client.invalidate(token));
        assertThrows(LakekeyException.Closed.class, () -> client.asUser("dapi-emulator"));
        CompletableFuture<String> later = client.tokenAsync();
        assertTrue(later.isCompletedExceptionally());
    }

    @Test
    void manyThreadsMayUseAndCloseAClientAtOnce(Emulator emulator) throws Exception {
        for (int round = 0; round < 10; round++) {
            LakekeyClient client = LakekeyClient.create(emulator.options().build());
            client.token();
            var users = new java.util.ArrayList<FutureTask<Void>>();
            for (int i = 0; i < 6; i++) {
                boolean closes = i % 3 == 0;
                FutureTask<Void> user = new FutureTask<>(() -> {
                    try {
                        for (int call = 0; call < 50; call++) {
                            if (closes && call == 25) {
                                client.close();
                            }
                            client.token();
                            client.connectParams();
                            client.credentialAsync().get(20, TimeUnit.SECONDS);
                        }
                    } catch (LakekeyException.Closed closed) {
                        return null;
                    } catch (ExecutionException failed) {
                        assertInstanceOf(LakekeyException.Closed.class, failed.getCause());
                    }
                    return null;
                });
                users.add(user);
                new Thread(user).start();
            }
            for (FutureTask<Void> user : users) {
                user.get(60, TimeUnit.SECONDS);
            }
        }
    }

    @Test
    void numbersThatWereNeverGivenOutAreErrorsAndNoCrash() {
        NativeLibrary.load();
        for (long number : new long[] {0, -1, 1L << 40, Long.MAX_VALUE, Long.MIN_VALUE}) {
            assertThrows(LakekeyException.Closed.class, () -> Native.peek(number, null));
            assertThrows(LakekeyException.Closed.class, () -> Native.invalidate(number, "t"));
            Native.close(number);
            Native.cancel(number);
            Native.give(number, "t", -1);
            Native.refuse(number, "w", -1);
        }
        assertThrows(LakekeyException.class, () -> Native.open(null, null, -1, null, null, null));
        assertThrows(LakekeyException.class, () -> Native.open(new String[] {null, null}, null, -1, null, null, null));
        assertFalse(Native.version().isEmpty());
    }
}
