package io.lakekey;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Closes clients that nobody closed and nobody can reach any more, when the next client is made. A {@code Cleaner} would need a
 * thread, and that thread would keep the class loader of a redeployed application for as long as one of its clients is open.
 */
final class Forgotten extends PhantomReference<LakekeyClient> {
    private static final ReferenceQueue<LakekeyClient> QUEUE = new ReferenceQueue<>();
    private static final Set<Forgotten> OPEN = ConcurrentHashMap.newKeySet();

    private final long number;

    private Forgotten(LakekeyClient client, long number) {
        super(client, QUEUE);
        this.number = number;
    }

    static Forgotten watch(LakekeyClient client, long number) {
        for (Object next = QUEUE.poll(); next != null; next = QUEUE.poll()) {
            ((Forgotten) next).close();
        }
        Forgotten watched = new Forgotten(client, number);
        OPEN.add(watched);
        return watched;
    }

    /** Closes the client. Harmless when repeated. */
    void close() {
        if (OPEN.remove(this)) {
            Native.close(number);
        }
    }
}
