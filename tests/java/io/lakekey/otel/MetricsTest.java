package io.lakekey.otel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lakekey.Emulator;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.testing.exporter.InMemoryMetricReader;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What OpenTelemetry's own collector gets. */
@ExtendWith(Emulator.Fresh.class)
class MetricsTest {
    private static final int COUNTERS = 14;

    private static Map<String, MetricData> read(InMemoryMetricReader reader) {
        return reader.collectAllMetrics().stream().collect(Collectors.toMap(MetricData::getName, metric -> metric));
    }

    private static long value(Map<String, MetricData> metrics, String name) {
        return metrics.get(name).getLongSumData().getPoints().iterator().next().getValue();
    }

    @Test
    void theCountsOfTheProcessAreShown(Emulator emulator) throws Exception {
        InMemoryMetricReader reader = InMemoryMetricReader.create();
        try (SdkMeterProvider meters = SdkMeterProvider.builder().registerMetricReader(reader).build();
                LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            OpenTelemetry telemetry = OpenTelemetrySdk.builder().setMeterProvider(meters).build();
            LakekeyMetrics metrics = LakekeyMetrics.show(telemetry, client);
            long mints = value(read(reader), "lakekey.credential.mints");
            client.credential();
            emulator.post("/faults", Map.of("action", Map.of("kind", "status", "status", 403)));
            String slug;
            try (LakekeyClient refused = LakekeyClient.create(emulator.stranger().build())) {
                slug = assertThrows(LakekeyException.class, refused::credential).slug();
            }
            Map<String, MetricData> after = read(reader);
            assertEquals(mints + 1, value(after, "lakekey.credential.mints"));
            assertEquals("ms", after.get("lakekey.credential.mint.time").getUnit());
            assertTrue(after.get("lakekey.failures").getLongSumData().getPoints().stream()
                    .anyMatch(point -> slug.equals(point.getAttributes().get(AttributeKey.stringKey("error.code")))));
            assertTrue(after.size() >= COUNTERS - 1, after.keySet().toString());
            assertTrue(after.values().stream().allMatch(one -> one.getInstrumentationScopeInfo().getName().equals("lakekey")));
            for (String secret : new String[] {"dapi-emulator", "user@emulator.test", "eyJ"}) {
                assertFalse(after.toString().contains(secret), secret);
            }
            metrics.close();
            metrics.close();
            assertEquals(Map.of(), read(reader));
            LakekeyMetrics.show(telemetry, client);
            client.close();
            assertEquals(Map.of(), read(reader));
        }
    }
}
