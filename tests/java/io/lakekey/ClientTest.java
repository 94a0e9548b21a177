package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a client gives, from a local Lakebase. */
@ExtendWith(Emulator.Fresh.class)
class ClientTest {
    @Test
    void aTokenIsMintedOnceAndTheSameTextIsGivenAgain(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            String first = client.token();
            assertEquals(3, first.split("\\.").length, "a JWT");
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
            assertTrue(credential.endpoint().startsWith("projects/shop/branches/production/endpoints/"), credential.endpoint());
            assertTrue(credential.expiresAt().isAfter(Instant.now().plusSeconds(60)));
            assertEquals(client.token(), credential.token());
            assertFalse(credential.toString().contains(credential.token()));
        }
    }

    @Test
    void connectParamsSayHostUserTlsAndPassword(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            ConnectParams params = client.connectParams(ConnectRequest.usual()
                    .withDatabase("shop")
                    .withSslmode("verify-full")
                    .withTimeout(Duration.ofSeconds(20)));
            assertEquals("shop", params.get("dbname").orElseThrow());
            assertEquals("verify-full", params.get("sslmode").orElseThrow());
            assertEquals("user@emulator.test", params.user());
            assertEquals(client.token(), params.password());
            assertFalse(params.toString().contains(params.password()));
            assertTrue(params.conninfo().contains(params.password()));
        }
    }

    @Test
    void anInvalidatedTokenIsReplaced(Emulator emulator) {
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            String first = client.token();
            assertTrue(client.invalidate(first), "a fresh one is due");
            assertNotEquals(first, client.token());
            assertFalse(client.invalidate("never seen"), "somebody else's is not ours to replace");
        }
    }
}
