package io.lakekey.otel;

import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import io.lakekey.Stats;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.metrics.ObservableLongCounter;
import io.opentelemetry.api.metrics.ObservableLongMeasurement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;

/**
 * Shows what lakekey counts to whoever collects metrics: observable counters of the scope {@code lakekey} by the same names as
 * in Python and Node, such as {@code lakekey.credential.mints} and {@code lakekey.login.failures}.
 *
 * <p>They are of the whole process, so once is enough. No attribute has a user, a host or a text of SQL.
 */
public final class LakekeyMetrics implements AutoCloseable {
    private final LakekeyClient client;
    private final Meter meter;
    private final List<ObservableLongCounter> shown = new ArrayList<>();

    private LakekeyMetrics(OpenTelemetry telemetry, LakekeyClient client) {
        this.client = Objects.requireNonNull(client, "client");
        this.meter = telemetry.getMeter("lakekey");
    }

    /**
     * Shows the counts from now on, until the result or the client is closed.
     *
     * @param telemetry such as {@code GlobalOpenTelemetry.get()}
     * @param client any client of this process
     * @return what ends it
     */
    public static LakekeyMetrics show(OpenTelemetry telemetry, LakekeyClient client) {
        LakekeyMetrics metrics = new LakekeyMetrics(telemetry, client);
        metrics.counter("lakekey.credential.mints", "Database credentials minted", "mints");
        metrics.counter("lakekey.credential.refreshes", "Of these, those minted ahead of time", "refreshes");
        metrics.counter("lakekey.credential.cache_hits", "Credentials handed out that were there already", "cache_hits");
        metrics.counter("lakekey.credential.waits", "Calls that waited for a credential", "waits");
        metrics.counter("lakekey.credential.invalidations", "Refused credentials thrown away", "invalidations");
        metrics.counter("lakekey.login.attempts", "Logins tried", "login_attempts");
        metrics.counter("lakekey.logins", "Logins that succeeded", "logins");
        metrics.labelled("lakekey.credential.mint_failures", "Requests to mint that failed", "mint_failures", "error.code");
        metrics.labelled("lakekey.login.failures", "Logins tried that failed", "login_failures", "lakekey.login.kind");
        metrics.labelled("lakekey.failures", "Calls and connects that failed", "failures", "error.code");
        metrics.sum("lakekey.credential.mint.time", "Time that requests to mint took", "mint_ms", "ms");
        metrics.sum("lakekey.credential.wait.time", "Time that calls waited for a credential", "wait_ms", "ms");
        metrics.sum("lakekey.credential.age", "Age of the credentials that were handed out, added up", "token_age_s", "s");
        metrics.sum("lakekey.login.time", "Time that successful connects took", "connect_ms", "ms");
        return metrics;
    }

    /** Shows nothing any more. Harmless when repeated. */
    @Override
    public void close() {
        shown.forEach(ObservableLongCounter::close);
    }

    private void counter(String name, String description, String key) {
        show(name, description, "1", (stats, result) -> result.record(stats.count(key)));
    }

    private void labelled(String name, String description, String key, String attribute) {
        AttributeKey<String> label = AttributeKey.stringKey(attribute);
        show(name, description, "1", (stats, result) -> stats.labelled()
                .get(key)
                .forEach((which, count) -> result.record(count, Attributes.of(label, which))));
    }

    private void sum(String name, String description, String key, String unit) {
        show(name, description, unit, (stats, result) -> result.record(stats.histograms().get(key).sum()));
    }

    private void show(String name, String description, String unit, BiConsumer<Stats, ObservableLongMeasurement> read) {
        shown.add(meter.counterBuilder(name).setDescription(description).setUnit(unit).buildWithCallback(result -> {
            Stats stats;
            try {
                stats = client.stats();
            } catch (LakekeyException.Closed over) {
                return;
            }
            read.accept(stats, result);
        }));
    }
}
