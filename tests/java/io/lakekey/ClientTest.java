package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a client gives, from a local Lakebase. */
@ExtendWith(Emulator.Fresh.class)
class ClientTest {
    @Test
    void aTokenIsMintedOnceAndTheSameTextIsGivenAgain(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            String first = client.token();
            String again = client.token();
            for (int i = 0; i < 1000; i++) {
                assertSame(again, client.token());
            }
            assertEquals(first, again);
            assertEquals(1, emulator.mints());
        }
    }

    @Test
    void aCredentialHasTimesEndpointAndIdentity(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            Credential credential = client.credential("projects/shop/branches/production");
            assertEquals("user@emulator.test", credential.subject().orElseThrow());
            assertTrue(
                    credential.endpoint().startsWith("projects/shop/branches/production/endpoints/"),
                    credential.endpoint());
            assertTrue(credential.expiresAt().isAfter(Instant.now().plusSeconds(60)));
            assertTrue(credential.issuedAt().isBefore(credential.expiresAt()));
            assertEquals(client.token(), credential.token());
            assertFalse(credential.toString().contains(credential.token()));
        }
    }

    @Test
    void connectParamsSayHostUserTlsAndPassword(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            ConnectParams params = client.connectParams(ConnectRequest.usual()
                    .withDatabase("shop")
                    .withUser("somebody")
                    .withPort(6543)
                    .withSslmode("verify-full")
                    .withSslrootcert("/roots.pem")
                    .withTimeout(Duration.ofSeconds(20)));
            assertEquals("shop", params.get("dbname").orElseThrow());
            // One for each of the addresses.
            assertTrue(params.get("port").orElseThrow().matches("6543(,6543)*"), params.toString());
            assertEquals("verify-full", params.get("sslmode").orElseThrow());
            assertEquals("/roots.pem", params.get("sslrootcert").orElseThrow());
            assertEquals("somebody", params.user());
            assertEquals("user@emulator.test", params.subject().orElseThrow());
            assertEquals(client.token(), params.password());
            assertFalse(params.keywords().containsKey("password"));
            assertFalse(params.toString().contains(params.password()));
            assertTrue(params.conninfo().contains(params.password()));
        }
    }

    @Test
    void anInvalidatedTokenIsReplaced(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            String first = client.token();
            assertEquals(first, client.token());
            assertTrue(client.invalidate(first), "a fresh one is due");
            assertNotEquals(first, client.token());
            assertFalse(client.invalidate("never seen"), "somebody else's is not ours to replace");
        }
    }

    @Test
    void anotherLifetimeIsAnotherCredential(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            Credential shorter =
                    client.credential(ConnectRequest.usual().withTtl(Duration.ofMinutes(5)));
            assertEquals(300, Duration.between(shorter.issuedAt(), shorter.expiresAt()).toSeconds(), 2);
            assertNotEquals(shorter.token(), client.token());
            assertEquals(2, emulator.mints());
        }
    }

    @Test
    void futuresGiveTheSameAsCalls(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            String token = client.tokenAsync().get(20, TimeUnit.SECONDS);
            assertEquals(token, client.credentialAsync().get(20, TimeUnit.SECONDS).token());
            assertEquals(token, client.connectParamsAsync().get(20, TimeUnit.SECONDS).password());
            assertEquals(1, emulator.mints());
        }
    }

    @Test
    void codeThatFollowsAFutureNeverRunsOnAThreadOfTheLibrary(Emulator emulator) throws Exception {
        ExecutorService mine = Executors.newSingleThreadExecutor(work -> new Thread(work, "mine"));
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().executor(mine).build())) {
            // Held up until the code has been attached.
            emulator.post("/faults", Emulator.latency(300));
            CompletableFuture<String> name =
                    client.tokenAsync().thenApply(token -> Thread.currentThread().getName());
            assertEquals("mine", name.get(20, TimeUnit.SECONDS));
        } finally {
            mine.shutdown();
        }
    }

    @Test
    void anExecutorThatIsShutDownLosesNoFuture(Emulator emulator) throws Exception {
        ExecutorService gone = Executors.newSingleThreadExecutor();
        gone.shutdown();
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().executor(gone).build())) {
            assertEquals(3, client.tokenAsync().get(20, TimeUnit.SECONDS).split("\\.").length);
        }
    }

    @Test
    void fiveHundredThreadsThatNeedTheFirstTokenCostOneMint(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            int threads = 500;
            CountDownLatch start = new CountDownLatch(1);
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            List<Future<String>> asked = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                asked.add(pool.submit(() -> {
                    start.await();
                    return client.token();
                }));
            }
            start.countDown();
            Set<String> tokens = new HashSet<>();
            for (Future<String> one : asked) {
                tokens.add(one.get(60, TimeUnit.SECONDS));
            }
            pool.shutdown();
            assertEquals(1, tokens.size());
            assertEquals(1, emulator.mints());
        }
    }

    @Test
    void preparedIsMintedBeforeAnybodyAsks(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            client.prepare();
            Emulator.until(() -> emulator.mints() == 1);
            client.token();
            assertEquals(1, emulator.mints());
        }
    }

    @Test
    void aUserHasCredentialsOfTheirOwn(Emulator emulator) throws Exception {
        try (LakekeyClient app = LakekeyClient.create(
                emulator
                .options()
                .token(null)
                .clientId(Emulator.SP_ID)
                .clientSecret(Emulator.SP_SECRET)
                .authType("oauth-m2m")
                .build())) {
            try (LakekeyClient user = app.asUser("dapi-emulator")) {
                assertEquals("user@emulator.test", user.credential().subject().orElseThrow());
                assertEquals(Emulator.SP_ID, app.credential().subject().orElseThrow());
            }
            assertEquals(Emulator.SP_ID, app.credential().subject().orElseThrow(), "closing the user's leaves the app's");
            try (LakekeyClient refused = app.asUser("dapi-planted")) {
                LakekeyException denied = assertThrows(LakekeyException.class, refused::token);
                assertFalse(denied.getMessage().contains("planted"), "and it never becomes the app");
            }
            assertThrows(LakekeyException.Config.class, () -> app.asUser(""));
        }
    }

    @Test
    void aSettingThatIsNotKnownIsRefusedByName(Emulator emulator) {
        LakekeyException refused = assertThrows(
                LakekeyException.Config.class,
                () -> LakekeyClient.create(emulator.options().attribute("hosst", "x").build()));
        assertEquals("CONFIG_INVALID", refused.slug());
        assertTrue(refused.getMessage().contains("hosst"), refused.getMessage());
    }

    @Test
    void argumentsThatCannotBeAreRefusedByName(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            for (var wrong : List.of(
                    ConnectRequest.usual().withPort(0),
                    ConnectRequest.usual().withPort(-1),
                    ConnectRequest.usual().withPort(65536))) {
                LakekeyException refused =
                        assertThrows(LakekeyException.class, () -> client.connectParams(wrong));
                assertTrue(refused.getMessage().contains("port"), refused.getMessage());
            }
            for (var wrong : List.of(
                    ConnectRequest.usual().withTimeout(Duration.ZERO),
                    ConnectRequest.usual().withTimeout(Duration.ofSeconds(-1)))) {
                LakekeyException refused = assertThrows(LakekeyException.class, () -> client.token(wrong));
                assertTrue(refused.getMessage().contains("timeout"), refused.getMessage());
            }
            assertThrows(LakekeyException.Config.class, () -> client.invalidate(null));
            assertThrows(LakekeyException.Config.class, () -> client.asUser(null));
            var later = client.connectParamsAsync(ConnectRequest.usual().withPort(0));
            assertTrue(later.isCompletedExceptionally(), "an argument's error comes by the future");
            assertEquals(0, emulator.mints());
        }
        assertThrows(
                LakekeyException.Config.class,
                () -> LakekeyClient.create(emulator.options().timeout(Duration.ZERO).build()));
    }

    @Test
    void textsSurviveTheBoundary(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            for (String name : List.of("ü\u0000n", "\ud83d\udd11 key", "a'b\\c", "")) {
                try {
                    ConnectParams params = client.connectParams(ConnectRequest.usual().withDatabase(name));
                    assertEquals(name, params.get("dbname").orElseThrow());
                } catch (LakekeyException refused) {
                    assertTrue(name.isEmpty() || name.contains("\u0000"), refused.getMessage());
                }
            }
        }
    }
}
