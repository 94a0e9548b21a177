package notes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.zaxxer.hikari.HikariDataSource;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.jdbc.core.simple.JdbcClient;

/** Run below {@code lakekey emulate}, which sets the environment. */
@SpringBootTest(args = "buy milk")
class NotesApplicationTest {
    @Autowired
    private NoteRepository notes;

    @Autowired
    private JdbcClient jdbc;

    @Autowired
    private DataSource source;

    @Test
    void jpaAndJdbcSeeTheSameNotes() {
        assertTrue(source instanceof HikariDataSource);
        Note note = notes.save(new Note("learn 'JPA'"));
        String text = jdbc.sql("SELECT text FROM notes.note WHERE id = ?").param(note.getId()).query(String.class).single();
        assertEquals("learn 'JPA'", text);
        assertTrue(notes.findByDoneFalseOrderById().stream().anyMatch(open -> open.getText().equals("buy milk")));
        note.tickOff();
        notes.save(note);
        assertTrue(notes.findById(note.getId()).orElseThrow().isDone());
    }

    @Test
    void newConnectionsGetCurrentTokens() {
        HikariDataSource pool = (HikariDataSource) source;
        for (int i = 0; i < 3; i++) {
            pool.getHikariPoolMXBean().softEvictConnections();
            assertEquals(1, jdbc.sql("SELECT 1").query(Integer.class).single());
        }
    }
}
