import io.lakekey.Credential;
import io.lakekey.LakekeyClient;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/** A token that is in the cache: ours, and the cache of a token and its end that people write by hand. */
final class WarmToken {
    private static final int CALLS = 1_000_000;
    private static final Duration MARGIN = Duration.ofMinutes(1);

    /** The usual field and lock. */
    private static final class ByHand implements Supplier<String> {
        private final LakekeyClient client;
        private Credential last;

        ByHand(LakekeyClient client) {
            this.client = client;
        }

        @Override
        public synchronized String get() {
            if (last == null || Instant.now().isAfter(last.expiresAt().minus(MARGIN))) {
                last = client.credential();
            }
            return last.token();
        }
    }

    /** What the calls gave, so that none can be left out. */
    private static long seen;

    private static double nanoseconds(Supplier<String> token) {
        long begun = System.nanoTime();
        for (int call = 0; call < CALLS; call++) {
            seen += token.get().length();
        }
        return (System.nanoTime() - begun) / (double) CALLS;
    }

    private static double median(List<Double> figures) {
        Collections.sort(figures);
        return figures.get(figures.size() / 2);
    }

    public static void main(String[] arguments) {
        int rounds = Integer.parseInt(System.getenv().getOrDefault("LAKEKEY_BENCH_ROUNDS", "15"));
        List<Double> ours = new ArrayList<>();
        List<Double> theirs = new ArrayList<>();
        try (LakekeyClient client = LakekeyClient.create()) {
            ByHand byHand = new ByHand(client);
            for (int round = -2; round < rounds; round++) {
                double mine = nanoseconds(client::token);
                double peer = nanoseconds(byHand);
                if (round >= 0) {
                    ours.add(mine);
                    theirs.add(peer);
                }
            }
        }
        if (seen == 0) {
            throw new IllegalStateException("no token");
        }
        System.out.printf(
                Locale.ROOT,
                "{\"what\": \"warm token from Java\", \"unit\": \"ns\", \"ours\": %.2f, \"peer\": \"a field, a lock and a clock\", "
                        + "\"theirs\": %.2f, \"target\": {\"ours\": 300}}%n",
                median(ours),
                median(theirs));
    }
}
