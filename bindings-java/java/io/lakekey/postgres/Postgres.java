package io.lakekey.postgres;

import io.lakekey.LakekeyClient;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/**
 * The management API of a client's workspace: projects, branches, endpoints and the rest. Methods, arguments and messages have
 * the names of the API.
 *
 * <p>A call parks its thread until the answer is there, so a virtual thread gives its carrier back. All methods throw
 * {@link io.lakekey.LakekeyException}: {@code API_ARGUMENT} for what cannot be sent, {@code API_NOT_FOUND},
 * {@code API_CONFLICT} and so on for what the service refused, {@code TIMEOUT}, {@code CANCELLED} when the thread is
 * interrupted. A list throws when its pages are read.
 */
public final class Postgres extends Methods {
    private final LakekeyClient client;

    /**
     * No I/O.
     *
     * @param client whose workspace, identity and timeout it has
     */
    public Postgres(LakekeyClient client) {
        this.client = Objects.requireNonNull(client, "client");
    }

    /**
     * {@return an operation that was begun earlier, or elsewhere}
     *
     * @param name its name
     * @param kind what it ends with, from its JSON, such as {@code Branch::of}
     * @param <T> what it ends with
     */
    public <T> Operation<T> operation(String name, Function<Map<String, Object>, T> kind) {
        return new Operation<>(client, Map.of("name", name), kind);
    }

    @Override
    <T> T one(String method, Map<String, Object> arguments, Options<?> options, Function<Map<String, Object>, T> kind) {
        return kind.apply(call(method, arguments, options));
    }

    @Override
    <T> Operation<T> begun(
            String method, Map<String, Object> arguments, Options<?> options, Function<Map<String, Object>, T> kind) {
        return new Operation<>(client, call(method, arguments, options), kind);
    }

    @Override
    <T> Pages<T> pages(
            String method,
            String items,
            Map<String, Object> arguments,
            Options<?> options,
            Function<Map<String, Object>, T> kind) {
        Map<String, Object> asked = merged(arguments, options);
        asked.put("prefetch", true);
        return new Pages<>(
                token -> {
                    Map<String, Object> next = new LinkedHashMap<>(asked);
                    next.put("page_token", token);
                    return call(method, next, new CallOptions().timeout(options == null ? null : options.timeout()));
                },
                asked.get("page_token"),
                items,
                kind);
    }

    private Map<String, Object> call(String method, Map<String, Object> arguments, Options<?> options) {
        String text = Json.text(merged(arguments, options));
        return Json.object(client.call(method, text, options == null ? null : options.timeout()));
    }

    private static Map<String, Object> merged(Map<String, Object> arguments, Options<?> options) {
        Map<String, Object> all = new LinkedHashMap<>(arguments);
        if (options != null) {
            all.putAll(options.arguments());
        }
        return all;
    }
}
