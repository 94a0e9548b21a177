package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The log. */
@ExtendWith(Emulator.Fresh.class)
class LogTest {
    @AfterEach
    void quiet() {
        LakekeyLog.stop();
    }

    @Test
    void aListenerHearsOfMintsOnTheCallersThreadAndOfNoSecret(Emulator emulator) {
        List<LakekeyLog.Record> heard = new CopyOnWriteArrayList<>();
        List<Thread> threads = new CopyOnWriteArrayList<>();
        LakekeyLog.listen(LakekeyLog.Level.DEBUG, record -> {
            heard.add(record);
            threads.add(Thread.currentThread());
        });
        String token;
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            token = client.token();
        }
        assertFalse(heard.isEmpty());
        assertTrue(heard.stream().allMatch(record -> record.source().startsWith("lakekey")), heard.toString());
        assertFalse(heard.toString().contains(token) || heard.toString().contains("dapi-emulator"));
        assertEquals(List.of(Thread.currentThread()), threads.stream().distinct().toList());
    }

    @Test
    void withoutAListenerNothingIsHeardAndALevelIsKept(Emulator emulator) {
        List<LakekeyLog.Record> heard = new CopyOnWriteArrayList<>();
        LakekeyLog.listen(LakekeyLog.Level.ERROR, heard::add);
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            client.token();
            LakekeyLog.stop();
            client.invalidate(client.token());
            client.token();
        }
        assertTrue(heard.isEmpty(), heard.toString());
    }

    @Test
    void aListenerThatThrowsHurtsNoCall(Emulator emulator) {
        LakekeyLog.listen(LakekeyLog.Level.DEBUG, record -> {
            throw new IllegalStateException("a broken listener");
        });
        try (LakekeyClient client = LakekeyClient.create(emulator.stranger().build())) {
            assertEquals(3, client.token().split("\\.").length);
        }
    }
}
