package notes;

import org.springframework.boot.ApplicationArguments;
import org.springframework.boot.ApplicationRunner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.jdbc.core.simple.JdbcClient;

/** Notes in Lakebase. Nothing here knows of tokens: the URL in {@code application.properties} is all there is. */
@SpringBootApplication
public class NotesApplication implements ApplicationRunner {
    private final NoteRepository notes;
    private final JdbcClient jdbc;

    NotesApplication(NoteRepository notes, JdbcClient jdbc) {
        this.notes = notes;
        this.jdbc = jdbc;
    }

    public static void main(String[] arguments) {
        SpringApplication.run(NotesApplication.class, arguments);
    }

    /** Each argument becomes a note; then the open ones are told. */
    @Override
    public void run(ApplicationArguments arguments) {
        arguments.getNonOptionArgs().forEach(text -> notes.save(new Note(text)));
        notes.findByDoneFalseOrderById().forEach(note -> System.out.println(note.getId() + "  " + note.getText()));
        System.out.println("as " + jdbc.sql("SELECT current_user").query(String.class).single());
    }
}
