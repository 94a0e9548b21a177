package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Workspace tokens from the program itself. */
@ExtendWith(Emulator.Fresh.class)
class ProviderTest {
    private static LakekeyClient with(Emulator emulator, TokenProvider provider) {
        return LakekeyClient.create(emulator.options().token(null).tokenProvider(provider).build());
    }

    @Test
    void itRunsOnADaemonThreadOfItsOwnWithItsOwnClassLoader(Emulator emulator) {
        AtomicReference<Thread> ran = new AtomicReference<>();
        AtomicReference<ClassLoader> loader = new AtomicReference<>();
        try (LakekeyClient client = with(emulator, () -> {
            ran.set(Thread.currentThread());
            loader.set(Thread.currentThread().getContextClassLoader());
            return "dapi-emulator";
        })) {
            assertEquals("user@emulator.test", client.credential().subject().orElseThrow());
        }
        assertTrue(ran.get().isDaemon());
        assertEquals("lakekey-token-provider", ran.get().getName());
        assertSame(ProviderTest.class.getClassLoader(), loader.get());
    }

    @Test
    void whatItThrowsIsTheCauseAndItsTextIsNotRepeated(Emulator emulator) {
        Exception thrown = new java.io.IOException("planted-secret");
        try (LakekeyClient client = with(emulator, () -> {
            throw thrown;
        })) {
            LakekeyException failed = assertThrows(LakekeyException.Auth.class, client::token);
            assertEquals("AUTH_CALLBACK", failed.slug());
            assertSame(thrown, failed.getCause());
            assertTrue(failed.getMessage().contains("java.io.IOException at "), failed.getMessage());
            assertTrue(failed.getMessage().contains("ProviderTest.java:"), failed.getMessage());
            assertFalse(failed.getMessage().contains("planted-secret"), failed.getMessage());
            assertFalse(String.join(" ", failed.causes()).contains("planted-secret"));
        }
    }

    @Test
    void anErrorOrANullIsAnErrorAsWell(Emulator emulator) {
        try (LakekeyClient client = with(emulator, () -> {
            throw new StackOverflowError();
        })) {
            LakekeyException failed = assertThrows(LakekeyException.Auth.class, client::token);
            assertTrue(failed.getCause() instanceof StackOverflowError);
        }
        try (LakekeyClient client = with(emulator, () -> null)) {
            LakekeyException failed = assertThrows(LakekeyException.Auth.class, client::token);
            assertTrue(failed.getMessage().contains("an empty token"), failed.getMessage());
        }
        try (LakekeyClient client = LakekeyClient.create(
                emulator.options().token(null).expiringTokenProvider(() -> null).build())) {
            LakekeyException failed = assertThrows(LakekeyException.Auth.class, client::token);
            assertTrue(failed.getCause() instanceof NullPointerException, failed.getMessage());
        }
    }

    @Test
    void oneThatHangsEndsWithTheCallsTime(Emulator emulator) throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        try (LakekeyClient client = with(emulator, () -> {
            never.await();
            return "late";
        })) {
            LakekeyException late = assertThrows(
                    LakekeyException.class, () -> client.token(ConnectRequest.usual().withTimeout(Duration.ofMillis(300))));
            assertTrue(late.retryable() || late.slug().equals("AUTH_CALLBACK"), late.slug());
        } finally {
            never.countDown();
        }
    }

    @Test
    void anEndThatItTellsIsKept(Emulator emulator) {
        AtomicInteger asked = new AtomicInteger();
        TokenProvider.Expiring source = () -> {
            asked.incrementAndGet();
            return new TokenProvider.Token("dapi-emulator", Instant.now().plusSeconds(3600));
        };
        ClientOptions options =
                emulator.options().token(null).expiringTokenProvider(source).build();
        try (LakekeyClient client = LakekeyClient.create(options)) {
            client.token();
            client.token(ConnectRequest.usual().withTtl(Duration.ofMinutes(7)));
            assertEquals(1, asked.get(), "a token that lasts is not asked for again");
        }
        try (LakekeyClient client = LakekeyClient.create(emulator.options()
                .token(null)
                .expiringTokenProvider(() -> new TokenProvider.Token("dapi-emulator", Instant.EPOCH))
                .build())) {
            LakekeyException failed = assertThrows(LakekeyException.Auth.class, client::token);
            assertTrue(failed.getMessage().contains("already expired"), failed.getMessage());
        }
        assertFalse(new TokenProvider.Token("planted", Instant.EPOCH).toString().contains("planted"));
    }

    @Test
    void itMayCallLakekeyItself(Emulator emulator) {
        try (LakekeyClient inner = LakekeyClient.create(emulator.stranger().build());
                LakekeyClient client = with(emulator, () -> {
                    inner.token();
                    return "dapi-emulator";
                })) {
            assertEquals("user@emulator.test", client.credential().subject().orElseThrow());
        }
    }
}
