package io.lakekey.jdbc;

import com.zaxxer.hikari.HikariCredentialsProvider;
import com.zaxxer.hikari.util.Credentials;
import io.lakekey.ConnectParams;
import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import java.util.Objects;

/**
 * HikariCP 7's credentials provider: role and current credential for each physical connection.
 *
 * <p>Hand it over with {@code HikariConfig.setCredentialsProvider}. It needs a pool that already knows the host. For HikariCP 6, and
 * wherever host, TLS (give the URL {@code sslmode=verify-full}) and a fresh token for a refused one are wanted too, give the pool a {@link LakekeyDataSource} instead.
 */
public final class LakekeyCredentialsProvider implements HikariCredentialsProvider {
    private final LakekeyClient client;
    private final ConnectRequest request;

    /**
     * A provider for a target, with everything else from the environment.
     *
     * @param target such as {@code projects/shop/branches/production}
     */
    public LakekeyCredentialsProvider(String target) {
        this(LakekeyClient.create(), ConnectRequest.of(target));
    }

    /**
     * A provider.
     *
     * @param client who mints
     * @param request its target, user, ttl and timeout count
     */
    public LakekeyCredentialsProvider(LakekeyClient client, ConnectRequest request) {
        this.client = Objects.requireNonNull(client, "client");
        this.request = Objects.requireNonNull(request, "request");
        client.prepare(request);
    }

    @Override
    public Credentials getCredentials() {
        ConnectParams params = client.connectParams(request);
        return new Credentials(params.user(), params.password());
    }
}
