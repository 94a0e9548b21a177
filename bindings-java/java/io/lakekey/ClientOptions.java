package io.lakekey;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;

/**
 * What a client is made from. What is left out comes from the environment and from {@code ~/.databrickscfg}.
 *
 * <p>A setting that lakekey does not know is refused when the client is made, with the code {@code CONFIG_INVALID}.
 */
public final class ClientOptions {
    final Map<String, String> settings;
    final String target;
    final Duration timeout;
    final String product;
    final String sharedCredentials;
    final Source source;
    final Executor executor;

    private ClientOptions(Builder builder) {
        settings = Map.copyOf(builder.settings);
        target = builder.target;
        timeout = builder.timeout;
        product = builder.product;
        sharedCredentials = builder.sharedCredentials;
        source = builder.source;
        executor = builder.executor;
    }

    /** {@return a builder with nothing set} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return a text without the values of settings} */
    @Override
    public String toString() {
        return "ClientOptions[settings=" + settings.keySet() + ", target=" + target + ", timeout=" + timeout + "]";
    }

    /** Names and values by turns, as the library takes them. */
    String[] pairs() {
        List<String> pairs = new ArrayList<>();
        settings.forEach((name, value) -> {
            pairs.add(name);
            pairs.add(value);
        });
        return pairs.toArray(String[]::new);
    }

    /** Collects options. A null takes an option back. */
    public static final class Builder {
        private final Map<String, String> settings = new LinkedHashMap<>();
        private String target;
        private Duration timeout;
        private String product;
        private String sharedCredentials;
        private Source source;
        private Executor executor;

        private Builder() {}

        /**
         * Sets the database of calls that name none.
         *
         * @param target such as {@code projects/shop/branches/production}, an endpoint's name or host
         * @return this builder
         */
        public Builder target(String target) {
            this.target = target;
            return this;
        }

        /**
         * Sets the workspace.
         *
         * @param host its URL
         * @return this builder
         */
        public Builder host(String host) {
            return attribute("host", host);
        }

        /**
         * Sets a personal access token.
         *
         * @param token the token
         * @return this builder
         */
        public Builder token(String token) {
            return attribute("token", token);
        }

        /**
         * Sets a service principal.
         *
         * @param clientId its application id
         * @return this builder
         */
        public Builder clientId(String clientId) {
            return attribute("client_id", clientId);
        }

        /**
         * Sets the service principal's secret.
         *
         * @param clientSecret the secret
         * @return this builder
         */
        public Builder clientSecret(String clientSecret) {
            return attribute("client_secret", clientSecret);
        }

        /**
         * Sets a profile of the configuration file.
         *
         * @param profile its name
         * @return this builder
         */
        public Builder profile(String profile) {
            return attribute("profile", profile);
        }

        /**
         * Sets the configuration file.
         *
         * @param path its path
         * @return this builder
         */
        public Builder configFile(String path) {
            return attribute("config_file", path);
        }

        /**
         * Sets the way to authenticate.
         *
         * @param authType such as {@code pat} or {@code oauth-m2m}
         * @return this builder
         */
        public Builder authType(String authType) {
            return attribute("auth_type", authType);
        }

        /**
         * Sets a configuration attribute by its Databricks name.
         *
         * @param name such as {@code azure_tenant_id}
         * @param value its value
         * @return this builder
         */
        public Builder attribute(String name, String value) {
            Objects.requireNonNull(name, "name");
            if (value == null) {
                settings.remove(name);
            } else {
                settings.put(name, value);
            }
            return this;
        }

        /**
         * Sets where workspace tokens come from, instead of the ways to authenticate that are configured.
         *
         * @param provider the source
         * @return this builder
         */
        public Builder tokenProvider(TokenProvider provider) {
            source = provider == null ? null : new Source(provider);
            return this;
        }

        /**
         * Sets where workspace tokens come from, by a source that knows when they end.
         *
         * @param provider the source
         * @return this builder
         */
        public Builder expiringTokenProvider(TokenProvider.Expiring provider) {
            source = provider == null ? null : new Source(provider);
            return this;
        }

        /**
         * Sets how long calls may take that do not say it themselves.
         *
         * @param timeout more than zero, to the millisecond
         * @return this builder
         */
        public Builder timeout(Duration timeout) {
            this.timeout = timeout;
            return this;
        }

        /**
         * Sets what is added to the user agent.
         *
         * @param product such as {@code myapp/1.0}
         * @return this builder
         */
        public Builder product(String product) {
            this.product = product;
            return this;
        }

        /**
         * Sets whether processes of this user on this host share credentials. Otherwise the variable
         * {@code LAKEKEY_SHARED_CREDENTIALS} says so.
         *
         * @param shared {@code on} (through files below {@code XDG_RUNTIME_DIR}), the absolute path of a directory, either after
         *     {@code required:}, or {@code off}
         * @return this builder
         */
        public Builder sharedCredentials(String shared) {
            sharedCredentials = shared;
            return this;
        }

        /**
         * Sets what completes the futures of {@code ...Async} calls. Otherwise that is the one of {@code CompletableFuture}.
         *
         * @param executor the executor
         * @return this builder
         */
        public Builder executor(Executor executor) {
            this.executor = executor;
            return this;
        }

        /** {@return the options} */
        public ClientOptions build() {
            return new ClientOptions(this);
        }
    }
}
