package io.lakekey.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lakekey.Emulator;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import io.lakekey.r2dbc.LakekeyPassword;
import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionFactory;
import io.r2dbc.postgresql.client.SSLMode;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** r2dbc-postgresql resolves and dials by itself, so it gets an address of the endpoint's own. */
class ReactiveTest {
    @Test
    void eachConnectionSubscribesToACredential() throws Exception {
        try (Emulator emulator = new Emulator("--host-mode", "ip")) {
            LakekeyClient client = LakekeyClient.create(emulator.options().build());
            PostgresqlConnectionFactory factory = factory(emulator, client);
            Flux<String> users = Mono.from(factory.create()).flatMapMany(connection -> Flux.from(
                            connection.createStatement("SELECT current_user").execute())
                    .flatMap(result -> result.map((row, metadata) -> row.get(0, String.class)))
                    .concatWith(Mono.from(connection.close()).then(Mono.empty())));
            assertEquals(Server.USER, users.blockFirst(Duration.ofSeconds(60)));
            emulator.post("/tokens", Map.of("rotate_key", true));
            // The driver is refused once and tells nobody: its user invalidates.
            assertThrows(Exception.class, () -> users.blockFirst(Duration.ofSeconds(60)));
            assertTrue(client.invalidate(client.token(Server.TARGET)));
            assertEquals(Server.USER, users.blockFirst(Duration.ofSeconds(60)));
        }
    }

    @Test
    @ExtendWith(Emulator.Fresh.class)
    void aFailedMintIsTheSubscribersError(Emulator emulator) {
        LakekeyClient client = LakekeyClient.create(emulator.stranger().target("projects/nowhere").build());
        Mono<CharSequence> password = Mono.from(
                new LakekeyPassword(client, io.lakekey.ConnectRequest.of("projects/nowhere/branches/b")));
        assertThrows(LakekeyException.Target.class, () -> password.block(Duration.ofSeconds(30)));
    }

    private static PostgresqlConnectionFactory factory(Emulator emulator, LakekeyClient client) {
        var params = client.connectParams(Server.request(emulator));
        return new PostgresqlConnectionFactory(PostgresqlConnectionConfiguration.builder()
                .host(params.get("host").orElseThrow().split(",")[0])
                .port(Integer.parseInt(params.get("port").orElseThrow().split(",")[0]))
                .database("databricks_postgres")
                .username(params.user())
                .password(new LakekeyPassword(client, Server.request(emulator)))
                .sslMode(SSLMode.VERIFY_FULL)
                .sslRootCert(Server.ca(emulator))
                .build());
    }
}
