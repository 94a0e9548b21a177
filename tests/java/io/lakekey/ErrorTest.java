package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.ServerSocket;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What went wrong, as Java sees it. */
@ExtendWith(Emulator.Fresh.class)
class ErrorTest {
    /** The classes by the hundreds of their codes, but for 19xx. */
    private static final Map<Integer, Class<?>> FAMILIES = Map.of(
            10, LakekeyException.Config.class,
            11, LakekeyException.Auth.class,
            12, LakekeyException.Target.class,
            13, LakekeyException.Transport.class,
            14, LakekeyException.Api.class,
            15, LakekeyException.Minting.class,
            16, LakekeyException.Conninfo.class,
            17, LakekeyException.Resolve.class,
            18, LakekeyException.Login.class);

    private static final Map<String, Class<?>> OTHERS = Map.of(
            "TIMEOUT", LakekeyException.Timeout.class,
            "CANCELLED", LakekeyException.Cancelled.class,
            "CLOSED", LakekeyException.Closed.class,
            "HANDLE_INVALID", LakekeyException.Closed.class,
            "INTERNAL", LakekeyException.Internal.class,
            "INTERNAL_PANIC", LakekeyException.Internal.class);

    @Test
    void everyPublishedCodeHasItsClass() {
        NativeLibrary.load();
        String[] table = Native.codes();
        assertTrue(table.length / 3 >= 40, "the table is there");
        for (int i = 0; i < table.length; i += 3) {
            int code = Integer.parseInt(table[i]);
            String slug = table[i + 1];
            boolean retryable = Boolean.parseBoolean(table[i + 2]);
            LakekeyException raised = assertThrows(
                    LakekeyException.class,
                    () -> Native.raise(
                            code,
                            slug,
                            "said",
                            "do this",
                            503,
                            "r-1",
                            retryable,
                            new String[] {"why"},
                            -1,
                            new String[] {"before"},
                            new String[] {"tcp", "true", "connect", "false"},
                            "NOT_FOUND",
                            "[{}]"));
            Class<?> expected = OTHERS.getOrDefault(slug, FAMILIES.get(code / 100));
            assertSame(expected, raised.getClass(), slug);
            assertEquals(code, raised.code());
            assertEquals(slug, raised.slug());
            assertEquals(retryable, raised.retryable());
            assertEquals("said. do this", raised.getMessage());
            assertEquals("do this", raised.hint().orElseThrow());
            assertEquals(503, raised.httpStatus().orElseThrow());
            assertEquals("r-1", raised.requestId().orElseThrow());
            assertEquals(List.of("before"), raised.events());
            assertEquals(
                    new Explanation("tcp", true, "connect", false, Optional.of("do this")),
                    raised.explanation().orElseThrow());
            assertEquals("why", raised.causes().get(0));
            assertEquals("NOT_FOUND", raised.apiCode().orElseThrow());
            assertEquals("[{}]", raised.details().orElseThrow());
        }
    }

    @Test
    void whatTheJavaPartSaysItselfHasTheSameCodes() {
        NativeLibrary.load();
        Map<Integer, String> slugs = new java.util.HashMap<>();
        String[] table = Native.codes();
        for (int i = 0; i < table.length; i += 3) {
            slugs.put(Integer.parseInt(table[i]), table[i + 1] + table[i + 2]);
        }
        for (Failure own : new Failure[] {
            Failure.config("a", null), Failure.cancelled("a"), Failure.timeout("a", null)
        }) {
            assertEquals(own.slug() + own.retryable(), slugs.get(own.code()));
        }
    }

    @Test
    void aCodeFromTheFutureIsAPlainException() {
        LakekeyException raised = assertThrows(
                LakekeyException.class,
                () -> Native.raise(
                        2001, "NEW", "m", null, -1, null, false, new String[0], -1, new String[0], null, null, null));
        assertTrue(raised.events().isEmpty() && raised.explanation().isEmpty());
        assertSame(LakekeyException.class, raised.getClass());
        assertTrue(raised.httpStatus().isEmpty() && raised.hint().isEmpty() && raised.requestId().isEmpty());
    }

    @Test
    void aDeniedIdentityNamesTheFixAndTheRequest(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.options().token("dapi-planted").build())) {
            LakekeyException denied = assertThrows(LakekeyException.Auth.class, client::token);
            assertEquals("AUTH_DENIED", denied.slug());
            assertEquals(403, denied.httpStatus().orElseThrow());
            assertTrue(denied.requestId().isPresent());
            assertTrue(denied.hint().isPresent(), denied.getMessage());
            assertFalse(all(denied).contains("dapi-planted"), "no secret is shown");
            assertTrue(
                    List.of(denied.getStackTrace()).stream().anyMatch(frame -> "ErrorTest.java".equals(frame.getFileName())),
                    "the stack says who called");
        }
    }

    @Test
    void aWrongTargetIsATargetError(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            LakekeyException missing =
                    assertThrows(LakekeyException.Target.class, () -> client.token("projects/no-such/branches/main"));
            assertEquals("TARGET_NOT_FOUND", missing.slug());
            LakekeyException invalid = assertThrows(LakekeyException.Target.class, () -> client.token("no target // at all"));
            assertEquals("TARGET_INVALID", invalid.slug());
            assertTrue(missing.hint().isPresent() && invalid.hint().isPresent());
        }
    }

    @Test
    void aHostThatNobodyAnswersAtIsATransportError(Emulator emulator) throws Exception {
        int port;
        try (ServerSocket socket = new ServerSocket(0)) {
            port = socket.getLocalPort();
        }
        try (LakekeyClient client = LakekeyClient.create(emulator.options()
                .host("http://127.0.0.1:" + port)
                .timeout(Duration.ofSeconds(2))
                .build())) {
            LakekeyException unreachable = assertThrows(LakekeyException.class, client::token);
            assertTrue(unreachable.retryable(), unreachable.slug());
            assertTrue(
                    unreachable instanceof LakekeyException.Transport || unreachable instanceof LakekeyException.Timeout,
                    unreachable.slug());
            assertTrue(unreachable.getMessage().contains("127.0.0.1:" + port), unreachable.getMessage());
        }
    }

    @Test
    void theTimeLimitOfACallIsKept(Emulator emulator) throws Exception {
        emulator.post("/faults", Map.of("action", Map.of("kind", "hang")));
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            long begun = System.nanoTime();
            LakekeyException late = assertThrows(
                    LakekeyException.class,
                    () -> client.token(ConnectRequest.usual().withTimeout(Duration.ofMillis(300))));
            assertTrue(late.retryable(), late.slug());
            assertTrue(System.nanoTime() - begun < 10_000_000_000L, "within seconds, not the usual limit");
        }
    }

    @Test
    void aFutureFailsWithTheSameException(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.options().token("dapi-planted").build())) {
            CompletionException failed =
                    assertThrows(CompletionException.class, () -> client.tokenAsync().join());
            assertInstanceOf(LakekeyException.Auth.class, failed.getCause());
        }
    }

    @Test
    void aPanicIsAnExceptionAndTheLibraryGoesOn(Emulator emulator) {
        NativeLibrary.load();
        LakekeyException panicked = assertThrows(LakekeyException.Internal.class, Native::panicNow);
        assertEquals("INTERNAL_PANIC", panicked.slug());
        assertTrue(panicked.getMessage().contains("asked for"), panicked.getMessage());
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            assertNotEquals("", client.token());
        }
    }

    @Test
    void aRefusedLoginIsExplained() {
        RefusedLogin refused = new RefusedLogin(
                "28P01", "password authentication failed for user \"u\"", "u", "user@emulator.test");
        assertTrue(refused.isOfToken());
        SQLException said = new SQLException("no", "28P01");
        LakekeyException explained = refused.explain(said);
        assertInstanceOf(LakekeyException.Login.class, explained);
        assertSame(said, explained.getCause());
        assertFalse(new RefusedLogin("3D000", "database \"x\" does not exist", "u", null).isOfToken());
    }

    private static String all(Throwable problem) {
        StringWriter text = new StringWriter();
        problem.printStackTrace(new PrintWriter(text));
        return text.toString();
    }
}
