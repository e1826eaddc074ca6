// SPDX-License-Identifier: Apache-2.0
import type { Catalogue } from "../form/catalogue.ts";

/** German, with the formal "Sie". */
export const german: Catalogue = {
  tag: "de",
  form: {
    optional: "optional",
    or: "oder",
    show: "Anzeigen",
    showPassword: "Passwort anzeigen",
    hide: "Ausblenden",
    hidePassword: "Passwort ausblenden",
    minLength: "Mindestens {min_length} Zeichen.",
    choose: "Auswählen…",
    add: "Hinzufügen",
    addTo: "Zu {list} hinzufügen",
    remove: "Entfernen",
    removeNamed: "{item} entfernen",
    opensNewTab: "{link} (öffnet einen neuen Tab)",
    copy: "Kopieren",
    copied: "Kopiert.",
    notCopied: "Das hat nicht geklappt. Markieren Sie den Text und kopieren Sie ihn selbst.",
    save: "Als Datei speichern",
    print: "Drucken",
    busy: "Einen Moment…",
    anotherWay: "Andere Möglichkeit wählen",
    lastUsed: "Zuletzt verwendet",
    sendsItself: "Der Code wird gesendet, sobald alle {code_length} Ziffern eingegeben sind.",
    waits: "{label} in {time}",
    waited: "Jetzt möglich: {label}.",
    expired: "Das Formular war zu lange offen. Prüfen Sie Ihre Angaben und senden Sie es noch einmal.",
    failed: "Das hat nicht geklappt. Versuchen Sie es gleich noch einmal.",
    tryAgainNow: "Sie können es jetzt noch einmal versuchen.",
    tryAgainIn: "Versuchen Sie es in {time} noch einmal.",
    passkeyCancelled:
      "Es wurde kein Passkey verwendet: Der Vorgang wurde abgebrochen oder dauerte zu lange, oder auf diesem Gerät gibt es keinen. " +
      "Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.",
    passkeyThere: "Auf diesem Gerät gibt es schon einen Passkey für Ihr Konto.",
    passkeyUnfit: "Dieses Gerät kann keinen Passkey speichern. Verwenden Sie ein anderes.",
    passkeyInsecure:
      "Unter der Adresse dieser Seite funktionieren Passkeys nicht. Wählen Sie einen anderen Weg.",
    passkeyUnsupported:
      "Dieser Browser unterstützt keine Passkeys, oder die Seite ist nicht sicher. Wählen Sie einen anderen Weg.",
  },
  messages: {
    1010002: "Weiter mit {provider}",
    1010003: "Bestätigen Sie zur Sicherheit Ihre Identität.",
    1010004: "Bestätigen Sie mit Ihrem zweiten Faktor, um fortzufahren.",
    1010006: "Code aus Ihrer Authenticator-App",
    1010007: "Ersatzcode",
    1010014: "Falls es zu {sent_to} ein Konto gibt, haben wir einen Code gesendet.",
    "1010014[sent_to=]":
      "Falls Ihr Konto eine bestätigte Adresse hat, haben wir einen Code dorthin gesendet.",
    1010015: "Anmeldecode senden",
    1010022: "Anmelden",
    1040001: "Konto erstellen",
    1040005: "Wir haben einen Code an {sent_to} gesendet.",
    1040006: "Bestätigungscode senden",
    1040008: "Zurück",
    1050001: "Ihre Änderungen sind gespeichert.",
    "1050001[change=set][kind=password]": "Ihr neues Passwort gilt ab sofort.",
    "1050001[change=set][kind=passkey]": "Ihr Passkey wurde hinzugefügt.",
    "1050001[change=set][kind=totp]": "Ihre Authenticator-App ist eingerichtet.",
    "1050001[change=set][kind=sms]": "Codes per SMS sind eingerichtet.",
    "1050001[change=set][kind=backup_code]": "Ihre Ersatzcodes gelten ab sofort.",
    "1050001[change=set][kind=oidc]": "{label} ist jetzt mit Ihrem Konto verknüpft.",
    "1050001[change=set][kind=oidc][label=]": "Das Konto ist jetzt mit Ihrem verknüpft.",
    "1050001[change=removed]": "„{label}“ wurde entfernt.",
    "1050001[change=removed][kind=oidc]": "{label} ist nicht mehr mit Ihrem Konto verknüpft.",
    "1050001[change=removed][label=][kind=password]": "Ihr Passwort wurde entfernt.",
    "1050001[change=removed][label=][kind=passkey]": "Der Passkey wurde entfernt.",
    "1050001[change=removed][label=][kind=totp]": "Die Authenticator-App wurde entfernt.",
    "1050001[change=removed][label=][kind=sms]": "Codes per SMS wurden entfernt.",
    "1050001[change=removed][label=][kind=backup_code]": "Ihre Ersatzcodes wurden entfernt.",
    "1050001[change=removed][label=][kind=oidc]": "Das Konto ist nicht mehr mit Ihrem verknüpft.",
    "1050001[change=address]": "{address} ist bestätigt und gespeichert.",
    "1050001[change=kept]": "Ihr Konto wird nicht gelöscht.",
    1050002: "{provider} verknüpfen",
    1050005: "QR-Code mit dem Schlüssel für Ihre Authenticator-App",
    1050008: "Neue Ersatzcodes erstellen",
    1050011: "Ich habe sie gespeichert",
    1060001: "Sie haben wieder Zugriff auf Ihr Konto. Legen Sie ein neues Passwort fest.",
    1060002: "Falls es zu {sent_to} ein Konto gibt, haben wir einen Wiederherstellungslink gesendet.",
    1060003: "Falls es zu {sent_to} ein Konto gibt, haben wir einen Wiederherstellungscode gesendet.",
    1060007: "Zurück",
    1070001: "Passwort",
    "1070002[title=Email]": "E-Mail",
    "1070002[title=E-mail]": "E-Mail",
    "1070002[title=Username]": "Benutzername",
    1070003: "Speichern",
    1070008: "Code erneut senden",
    "1070008[what=link]": "Link erneut senden",
    1070009: "Weiter",
    1070010: "Wiederherstellungscode",
    1070011: "Bestätigungscode",
    1070012: "Bestätigungscode",
    1070013: "Anmeldecode",
    1070018: "E-Mail oder Telefonnummer",
    1080001: "Falls {sent_to} noch nicht bestätigt ist, haben wir einen Link dorthin gesendet.",
    1080003: "Falls {sent_to} noch nicht bestätigt ist, haben wir einen Code dorthin gesendet.",
    4000001: "Dieser Wert ist hier nicht zulässig.",
    4000002: "Bitte ausfüllen.",
    4000003: "Verwenden Sie mindestens {min_length} Zeichen.",
    4000004: "Das Format stimmt nicht.",
    4000006: "Diese Anmeldedaten sind nicht richtig. Prüfen Sie sie und versuchen Sie es noch einmal.",
    4000007: "Mit diesen Angaben gibt es schon ein Konto. Möchten Sie sich anmelden?",
    4000008:
      "Diesen Code zeigt Ihre App gerade nicht an. Jeder Code gilt nur einmal: Warten Sie auf den nächsten.",
    4000009:
      "Geben Sie eine E-Mail-Adresse, eine Telefonnummer oder einen Benutzernamen für die Anmeldung ein.",
    4000016: "Das ist keiner Ihrer Ersatzcodes, oder er wurde schon verwendet.",
    4000017: "Verwenden Sie höchstens {max_length} Zeichen.",
    4000018: "Geben Sie mindestens {minimum} ein.",
    4000020: "Geben Sie höchstens {maximum} ein.",
    4000026: "Dieser Wert ist hier nicht vorgesehen.",
    "4000026[type=number]": "Bitte geben Sie eine Zahl ein.",
    "4000026[type=integer]": "Bitte geben Sie eine ganze Zahl ein.",
    "4000026[type=boolean]": "Bitte wählen Sie Ja oder Nein.",
    4000031: "Dieses Passwort ähnelt Ihren anderen Angaben zu sehr. Wählen Sie ein anderes.",
    4000032: "Ihr Passwort braucht mindestens {min_length} Zeichen.",
    4000033: "Ihr Passwort darf höchstens {max_length} Zeichen haben.",
    4000034: "Dieses Passwort ist in einem Datenleck aufgetaucht. Wählen Sie ein anderes.",
    4000035: "Dieses Konto gibt es nicht, oder man kann sich dort nicht mit einem Code anmelden.",
    4000036:
      "Diese Angaben passen nicht zu denen, mit denen Sie den Code angefordert haben. Gehen Sie zurück, um sie zu ändern.",
    4000037: "Dieses Konto gibt es nicht, oder es ist unter dieser Adresse nicht erreichbar.",
    4000040: "Geben Sie eine gültige E-Mail-Adresse ein.",
    4000041: "Geben Sie eine gültige Telefonnummer mit Ländervorwahl ein, zum Beispiel +41 44 668 18 00.",
    4010008:
      "Dieser Anmeldecode ist falsch oder nicht mehr gültig. Prüfen Sie ihn, oder fordern Sie einen neuen an.",
    4040003:
      "Dieser Bestätigungscode ist falsch oder nicht mehr gültig. Prüfen Sie ihn, oder fordern Sie einen neuen an.",
    4050002: "Ändern Sie immer nur eine Adresse auf einmal.",
    4060004:
      "Dieser Wiederherstellungslink ist abgelaufen oder wurde schon verwendet. Fordern Sie einen neuen an.",
    4060006:
      "Dieser Wiederherstellungscode ist falsch oder nicht mehr gültig. Prüfen Sie ihn, oder fordern Sie einen neuen an.",
    4070001: "Dieser Bestätigungslink ist abgelaufen oder wurde schon verwendet. Fordern Sie einen neuen an.",
    4070006:
      "Dieser Bestätigungscode ist falsch oder nicht mehr gültig. Prüfen Sie ihn, oder fordern Sie einen neuen an.",
    9000001: "Dieses Passwort ist zu verbreitet. Wählen Sie eines, das schwerer zu erraten ist.",
    9000002: "Das Feld {property} ist hier nicht vorgesehen.",
    9000010: "Code senden",
    9000011: "Anmeldelink senden",
    9000012: "Link senden",
    9000013: "Zurück",
    9000014: "Weiter",
    9000015: "Wir haben einen Code an {sent_to} gesendet. Die neue Adresse gilt, sobald Sie ihn eingeben.",
    9000016: "Falls es zu {sent_to} ein Konto gibt, haben wir einen Link gesendet.",
    "9000016[sent_to=]":
      "Falls Ihr Konto eine bestätigte Adresse hat, haben wir einen Link dorthin gesendet.",
    9000017: "Mit „Weiter“ melden Sie sich als {address} an.",
    9000018: "Mit „Weiter“ stellen Sie das Konto von {address} wieder her.",
    9000019: "Bestätigen Sie, dass {address} Ihre Adresse ist.",
    9000020: "Dieser Link ist abgelaufen oder wurde schon verwendet. Fordern Sie einen neuen an.",
    9000021: "Zu viele Fehlversuche. Fordern Sie einen neuen Code an.",
    9000022:
      "Wir haben Ihnen gerade erst eine Nachricht gesendet. Warten Sie einen Moment, bevor Sie eine weitere anfordern.",
    9000023: "Geben Sie eine gültige E-Mail-Adresse ein, oder eine Telefonnummer mit Ländervorwahl.",
    9000030: "Mit „Weiter“ erstellen Sie ein Konto mit {address}.",
    9000031: "Bestätigungslink senden",
    9000032: "Wir haben einen Link an {sent_to} gesendet.",
    9000033:
      "Ein Konto, das Sie per Link erstellen, kann nur eine Adresse haben. Entfernen Sie eine, oder wählen Sie einen anderen Weg.",
    9000040: "Anmeldung als {identifier}.",
    9000041: "Wählen Sie eine dieser Adressen.",
    9000042: "E-Mail, Telefonnummer oder Benutzername",
    9000043: "Wohin sollen wir die Nachricht senden?",
    9000044:
      "Sie melden sich gerade als {identifier} an. Gehen Sie zurück, um ein anderes Konto zu verwenden.",
    9000050: "Dieses Konto wird am {purge_time:date} gelöscht.",
    9000051: "Mein Konto löschen",
    9000052: "Mein Konto behalten",
    9000053:
      "Wenn Sie Ihr Konto löschen, werden Sie überall abgemeldet. {days} Tage lang können Sie es sich anders überlegen: Melden " +
      "Sie sich an und behalten Sie es. Danach wird alles endgültig gelöscht.",
    "9000053[days=0]":
      "Wenn Sie Ihr Konto löschen, werden Sie überall abgemeldet. {hours} Stunden lang können Sie es sich anders überlegen: Melden " +
      "Sie sich an und behalten Sie es. Danach wird alles endgültig gelöscht.",
    "9000053[days=0][hours=one]":
      "Wenn Sie Ihr Konto löschen, werden Sie überall abgemeldet. Eine Stunde lang können Sie es sich anders überlegen: Melden " +
      "Sie sich an und behalten Sie es. Danach wird alles endgültig gelöscht.",
    9000054:
      "Wenn Sie Ihr Konto löschen, werden Sie überall abgemeldet, und alles darin wird sofort gelöscht. Das lässt sich nicht " +
      "rückgängig machen.",
    9000060: "Diese Einladung gilt nicht mehr. Bitten Sie um eine neue.",
    9000070: "Das können Sie nicht selbst ändern.",
    9000090:
      "{address} gehört Ihnen. Mit dieser Adresse gibt es ein Konto, das noch niemand bestätigt hat. Haben Sie es " +
      "eingerichtet? Wenn das jemand anderes war oder Sie sich nicht mehr anmelden können, wählen Sie das: Alle bisherigen " +
      "Anmeldearten des Kontos werden dann ungültig, und Sie legen ein neues Passwort fest.",
    9000091: "Ich habe es eingerichtet: anmelden",
    9000092: "Das war ich nicht, oder ich kann mich nicht anmelden",
    9000093:
      "Dieses Konto hat sich inzwischen geändert, daher ist nichts passiert. Geben Sie Ihre Adresse noch einmal ein, um " +
      "fortzufahren.",
    9000100: "Geben Sie ein gültiges Datum ein, zum Beispiel 2026-02-28.",
    9000101: "Geben Sie eine Zahl zwischen {minimum} und {maximum} ein.",
    9000102: "Geben Sie Datum und Uhrzeit mit Zeitzone ein, zum Beispiel 2026-02-28T18:30:00Z.",
    9000103: "Geben Sie eine Uhrzeit mit Zeitzone ein, zum Beispiel 18:30:00Z.",
    9000104: "Geben Sie eine vollständige Internetadresse ein, zum Beispiel https://example.com/seite.",
    9000105: "Das Format stimmt nicht.",
    9000106:
      "Ein Benutzername darf nicht wie eine E-Mail-Adresse aussehen, außer es ist eine bestätigte Adresse von Ihnen.",
    9000107:
      "Ein Benutzername darf nicht wie eine Telefonnummer aussehen, außer es ist eine bestätigte Nummer von Ihnen.",
    9000108: "Steuerzeichen und unsichtbare Zeichen sind hier nicht erlaubt.",
    9000110: "Geben Sie eine Zahl ein, zum Beispiel 1,5.",
    9000111: "Geben Sie eine ganze Zahl ein, zum Beispiel 42.",
    9000112: "Geben Sie die Zahl ohne Tausendertrennzeichen ein, zum Beispiel 1234 oder 1,5.",
    9000113: "Geben Sie mehr als {minimum} ein.",
    9000114: "Geben Sie weniger als {maximum} ein.",
    9000115: "Geben Sie ein Vielfaches von {step} ein.",
    9000116: "Wählen Sie eine der Möglichkeiten.",
    9000117: "Setzen Sie dieses Häkchen, um fortzufahren.",
    9000118: "Geben Sie mindestens {min_items} an.",
    9000119: "Geben Sie höchstens {max_items} an.",
    9000121: "Jeder Wert darf nur einmal vorkommen.",
    9000123: "Das ist zu viel zum Speichern. Kürzen Sie etwas und versuchen Sie es noch einmal.",
    9000125:
      "Geben Sie eine gültige Telefonnummer ein. Eine aus einem anderen Land beginnt mit + und ihrer Ländervorwahl.",
    9000126:
      "An diese Adresse können wir keine E-Mail senden. Geben Sie eine an, die vor dem @ nur einfache Buchstaben (a bis z), Ziffern und Zeichen hat.",
    9000120:
      "Ein Code hat {length} Ziffern, nach vielen Fehlversuchen {long_length}. Kopieren Sie nur den Code aus der Nachricht.",
    "9000200[title=Email]": "E-Mail",
    "9000200[title=E-mail]": "E-Mail",
    "9000200[title=Username]": "Benutzername",
    "9000200[title=Email or username]": "E-Mail oder Benutzername",
    "9000200[title=Email, phone or username]": "E-Mail, Telefon oder Benutzername",
    "9000200[title=Email, phone number or username]": "E-Mail, Telefonnummer oder Benutzername",
    9000204: "Profil",
    9000205: "Passwort",
    9000206: "Konto löschen",
    9000207:
      "Konto löschen? Sie werden auf allen Geräten abgemeldet. {days} Tage lang können Sie es sich noch anders überlegen.",
    "9000207[days=0]":
      "Konto löschen? Sie werden auf allen Geräten abgemeldet. {hours} Stunden lang können Sie es sich noch anders überlegen.",
    "9000207[days=0][hours=0]":
      "Konto löschen? Sie werden auf allen Geräten abgemeldet, und alles darin wird sofort gelöscht.",
    "9000207[days=0][hours=one]":
      "Konto löschen? Sie werden auf allen Geräten abgemeldet. Eine Stunde lang können Sie es sich noch anders überlegen.",
    9000208: "Konto von {name}",
    9000209: "Weiter",
    9000210: "Anmelden",
    9000211: "Sagen Sie uns zuerst, wer Sie sind.",
    9000212: "Willkommen zurück.",
    9000213: "Identität bestätigen",
    9000214: "Ihr Konto ist mit einem zweiten Faktor geschützt.",
    9000215: "Melden Sie sich zur Sicherheit noch einmal an, bevor Sie fortfahren.",
    "9000215[change=profile]": "Um Ihre Adresse zu ändern, melden Sie sich zuerst noch einmal an.",
    "9000215[change=password]": "Um das neue Passwort festzulegen, melden Sie sich zuerst noch einmal an.",
    "9000215[change=credential]": "Um eine Anmeldeart hinzuzufügen, melden Sie sich zuerst noch einmal an.",
    "9000215[change=second_factor]":
      "Um zu ändern, wonach Ihr Konto fragt, melden Sie sich zuerst noch einmal an.",
    "9000215[change=removal]": "Um eine Anmeldeart zu entfernen, melden Sie sich zuerst noch einmal an.",
    "9000215[change=deletion]": "Um Ihr Konto zu löschen, melden Sie sich zuerst noch einmal an.",
    9000216: "Code eingeben",
    9000217: "Sehen Sie in Ihren Nachrichten an {sent_to} nach.",
    "9000217[sent_to=]": "Sehen Sie in Ihren Nachrichten nach.",
    9000218: "Link öffnen",
    9000219: "Sehen Sie in Ihren Nachrichten an {sent_to} nach, auf diesem oder einem anderen Gerät.",
    "9000219[sent_to=]": "Sehen Sie in Ihren Nachrichten nach, auf diesem oder einem anderen Gerät.",
    9000220:
      "Noch ein Klick, damit wir wissen, dass Sie den Link geöffnet haben und nicht ein Programm, das Ihre E-Mails prüft.",
    9000221: "Konto erstellen",
    9000222: "Erzählen Sie uns etwas über sich. Danach wählen Sie, wie Sie sich anmelden.",
    9000223: "Geben Sie Ihre Daten ein und wählen Sie, wie Sie sich anmelden.",
    9000224: "Wählen Sie, wie Sie sich anmelden.",
    9000225: "Adresse bestätigen",
    9000226: "Wir senden eine Nachricht an die Adresse, um sicherzugehen, dass sie Ihnen gehört.",
    9000227: "Konto wiederherstellen",
    9000228: "Sagen Sie uns, wer Sie sind. Mit einer Nachricht von uns kommen Sie zurück in Ihr Konto.",
    9000229: "Adresse auswählen",
    9000230: "Wir senden die Nachricht an die Adresse, die Sie auswählen.",
    9000231: "Ist das Ihr Konto?",
    9000232: "Bisher hat niemand bestätigt, dass es ihm gehört.",
    9000233: "Ihr Konto",
    9000234: "Ändern Sie, was Sie möchten. Jeder Abschnitt wird einzeln gespeichert.",
    9000235: "Neues Passwort festlegen",
    9000236: "Es ersetzt das alte, und Sie sind danach angemeldet.",
    9000301: "Authenticator-App einrichten",
    9000302: "Andere Authenticator-App einrichten",
    9000303: "Bestätigen",
    9000304: "Der Code hat {digits} Ziffern.",
    9000305: "Authenticator-App",
    9000306: "Ersatzcodes",
    9000307: "Ersatzcodes erstellen",
    9000308: "Noch {remaining} von {total} Ersatzcodes übrig.",
    9000309:
      "Bewahren Sie diese Codes so auf, dass Sie auch ohne Ihr Telefon an sie herankommen. Jeder ersetzt einmal Ihren zweiten " +
      "Faktor. Sie werden nicht noch einmal angezeigt.",
    9000310: "Ein Ersatzcode hat {length} Buchstaben und Ziffern.",
    9000311:
      "Erstellen Sie Ersatzcodes, damit Sie sich auch dann anmelden können, wenn Sie Ihren zweiten Faktor nicht dabeihaben.",
    9000312: "Überall sonst abmelden",
    9000313: "{label}",
    "9000313[label=][kind=sms]": "Codes per SMS",
    "9000313[label=][kind=oidc]": "Verknüpftes Konto",
    "9000313[label=][kind=totp]": "Authenticator-App",
    "9000313[label=][kind=passkey]": "Passkey",
    "9000313[label=][kind=password]": "Passwort",
    "9000313[label=][kind=backup_code]": "Ersatzcodes",
    9000314: "Name",
    9000315: "Ändern oder entfernen: {label}",
    "9000315[label=][kind=sms]": "Ändern oder entfernen: Codes per SMS",
    "9000315[label=][kind=oidc]": "Ändern oder entfernen: verknüpftes Konto",
    "9000315[label=][kind=totp]": "Ändern oder entfernen: Authenticator-App",
    "9000315[label=][kind=passkey]": "Ändern oder entfernen: Passkey",
    "9000315[label=][kind=password]": "Ändern oder entfernen: Passwort",
    "9000315[label=][kind=backup_code]": "Ändern oder entfernen: Ersatzcodes",
    9000316: "Hinzugefügt am {time:date}.",
    9000317: "Entfernen",
    9000318: "Entfernen? Sie können sich danach nicht mehr damit anmelden.",
    9000319:
      "Das ist die einzige Möglichkeit, sich bei Ihrem Konto anzumelden. Richten Sie zuerst eine andere ein.",
    9000320: "Das wurde inzwischen entfernt.",
    9000321: "Das gehört schon zu einem anderen Konto.",
    9000322: "Schlüssel",
    9000323:
      "Scannen Sie das Bild mit Ihrer Authenticator-App, oder geben Sie dort den Schlüssel ein. Geben Sie dann den Code ein, " +
      "den die App anzeigt.",
    9000324: "Zuletzt verwendet am {time:date}.",
    9000325: "Auch nach meinem Passwort danach fragen",
    9000326: "Nach meinem Passwort nicht mehr danach fragen",
    9000340: "Passkeys",
    9000341: "Passkey hinzufügen",
    9000342: "Passkey erstellen",
    9000343: "Mit Passkey anmelden",
    9000344: "Passkey verwenden",
    9000345: "Konto mit Passkey erstellen",
    9000346:
      "Mit diesem Passkey können Sie sich nicht anmelden. Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.",
    9000347: "Der Passkey konnte nicht hinzugefügt werden. Versuchen Sie es noch einmal.",
    9000348: "Diesen Passkey hat Ihr Konto schon.",
    9000349: "Name, um ihn von anderen zu unterscheiden",
    9000350: "Es wurde kein Passkey ausgewählt. Versuchen Sie es noch einmal.",
    9000351:
      "Dieser Passkey hat nicht geprüft, ob Sie es sind. Melden Sie sich zuerst mit Ihrem Passwort oder einem Code an, und " +
      "verwenden Sie ihn dann.",
    9000352: "Ihr Konto hat schon {most} Passkeys. Entfernen Sie zuerst einen.",
    9000400: "Das wurde inzwischen an anderer Stelle geändert. Sie hatten eingegeben: {typed}",
    "9000400[typed=]": "Das wurde inzwischen an anderer Stelle geändert.",
    9000401: "Dafür brauchen Sie eine Anmeldeart, die hier nicht eingerichtet ist.",
    9000402: "Codes per SMS",
    9000403: "Telefonnummer",
    "9000403[country=]": "Telefonnummer mit Ländervorwahl",
    9000404: "Codes per SMS einrichten",
    9000405: "Andere Nummer verwenden",
    9000406:
      "Geben Sie eine gültige Telefonnummer ein. Eine aus einem anderen Land beginnt mit + und ihrer Ländervorwahl.",
    "9000406[country=]":
      "Geben Sie eine Telefonnummer mit Ländervorwahl ein, zum Beispiel +49 171 2345678.",
    9000407: "Wir können einen Code per SMS an {number} senden.",
    9000408: "Code per SMS senden",
    9000409: "Wir haben einen Code per SMS an {number} gesendet.",
    9000410:
      "Das ist nicht der neueste Code, oder er ist abgelaufen. Prüfen Sie ihn, oder fordern Sie einen neuen an.",
    9000411:
      "In dieses Land können wir keine SMS senden. Verwenden Sie eine andere Nummer oder einen anderen Weg.",
    9000412:
      "In dieses Land können wir zurzeit keine weiteren SMS senden. Wählen Sie einen anderen Weg, oder versuchen Sie es später " +
      "noch einmal.",
    9000413:
      "Ihr zweiter Faktor ist ein Code per SMS. Beginnen Sie deshalb mit etwas anderem, zum Beispiel mit Ihrem Passwort.",
    9000414:
      "Ihr zweiter Faktor ist ein Code per SMS. Mit einer SMS allein lässt sich Ihr Konto deshalb nicht wiederherstellen. " +
      "Verwenden Sie Ihre E-Mail-Adresse.",
    9000415: "Neue Anmeldeart einrichten",
    9000416: "Hier gibt es kein Passwort festzulegen. Melden Sie sich mit einem Code oder Link an.",
    9000417: "Anmelden",
    9000430: "Nächstes Mal schneller anmelden",
    9000431:
      "Mit einem Passkey melden Sie sich mit Fingerabdruck, Gesicht oder der PIN Ihres Geräts an. Ihr Passwort gilt weiterhin.",
    9000432: "Passkey erstellen",
    9000460: "Kommen Sie später wieder",
    9000461:
      "Wir informieren den Inhaber eines Kontos über jede Wiederherstellung, damit er sie rechtzeitig abbrechen kann.",
    9000462: "Wiederherstellung abbrechen",
    9000463:
      "Wenn Sie selbst wieder in das Konto möchten, verlassen Sie diese Seite einfach. Dann geschieht nichts.",
    9000464:
      "Diese Adresse gehört Ihnen. Zum Schutz des Kontos kommen Sie erst ab {end_time:date-time} wieder hinein. Fordern Sie dann " +
      "einen neuen Code an.",
    9000465: "Wer die Nachrichten an {address} lesen kann, kommt ab {end_time:date-time} in Ihr Konto.",
    9000466: "Abbrechen, das war ich nicht",
    9000467:
      "Diese Wiederherstellung ist vorbei. Wenn Sie sich nicht mehr anmelden können, stellen Sie Ihr Konto wieder her.",
    9000500:
      "Bei uns ist etwas schiefgegangen. Versuchen Sie es noch einmal. Wenn es wieder passiert, nennen Sie uns diese Nummer: {request_id}.",
    9000501:
      "Eine Ihrer Angaben lässt sich nicht senden, vielleicht weil sie zu lang ist. Prüfen Sie sie und versuchen Sie es noch einmal.",
    9000502: "Das ist zu viel auf einmal. Geben Sie weniger ein und versuchen Sie es noch einmal.",
    9000503: "Das hat zu lange gedauert. Versuchen Sie es gleich noch einmal.",
    9000504: "Diese Liste hat sich geändert. Laden Sie die Seite neu.",
    9000505: "Das funktioniert im Moment nicht.",
    9000506: "Der Server ist gerade überlastet.",
    9000507:
      "Diese Seite wurde unter einer falschen Adresse geöffnet. Öffnen Sie sie über den Link, den Sie bekommen haben.",
    9000508: "Hier gibt es nichts fortzusetzen. Beginnen Sie von vorn.",
    9000509: "Das ist schon erledigt. Fahren Sie fort, oder beginnen Sie von vorn.",
    9000510:
      "Das wurde in einem anderen Browser oder in einer App begonnen. Machen Sie dort weiter, oder beginnen Sie hier von vorn.",
    9000511: "Diese Seite ist nicht mehr aktuell. Laden Sie sie neu.",
    9000512: "Diese Anwendung darf nicht zu dieser Adresse zurückführen.",
    9000513: "Die Registrierung ist derzeit geschlossen.",
    9000514: "Sie sind nicht angemeldet. Melden Sie sich an, um fortzufahren.",
    9000515:
      "Sie wurden abgemeldet, weil Sie lange angemeldet oder eine Weile nicht hier waren. Melden Sie sich wieder an.",
    9000516: "Sie wurden abgemeldet. Melden Sie sich wieder an.",
    9000517: "Dafür brauchen Sie einen zweiten Faktor. Melden Sie sich damit an, um fortzufahren.",
    9000518: "Melden Sie sich noch einmal an, um Ihre Identität zu bestätigen.",
    9000519: "Diese Sitzung ist schon beendet.",
    9000520:
      "Passwörter lassen sich im Moment nicht prüfen, deshalb können Sie keines festlegen. Versuchen Sie es später noch einmal.",
    9000521: "Dieser Link ist abgelaufen oder wurde schon verwendet. Fordern Sie einen neuen an.",
    9000522:
      "Das wurde gleichzeitig in einem anderen Fenster geändert. Sehen Sie nach, wie es jetzt aussieht, und versuchen Sie es noch einmal.",
    9000523: "Adressen können hier zurzeit nicht bestätigt werden.",
    9000524: "Konten können hier zurzeit nicht wiederhergestellt werden.",
    9000525: "Das ist gerade nicht möglich. Wählen Sie eine der Möglichkeiten auf dieser Seite.",
    9000526: "Zu viele Versuche.",
    9000527:
      "Sie brauchen eine Einladung, um hier ein Konto zu erstellen. Öffnen Sie den Link in Ihrer Einladung, oder bitten Sie um eine.",
    9000528:
      "Diese Einladung gilt nicht mehr: Sie wurde verwendet oder zurückgezogen, oder sie ist abgelaufen. Bitten Sie um eine neue.",
    9000529:
      "Ihr Browser sendet zu viele Cookies. Löschen Sie die Cookies dieser Website und versuchen Sie es noch einmal.",
    9000530: "Hier hat sich inzwischen jemand anderes angemeldet. Beginnen Sie von vorn.",
    9000531:
      "Dieser Browser hatte mehrere Sitzungen gleichzeitig. Deshalb haben wir sie entfernt und Sie abgemeldet. Melden Sie sich wieder an.",
    9000532:
      "Dafür brauchen Sie eine stärkere Anmeldung, zum Beispiel mit einem Passkey. Melden Sie sich damit an, um fortzufahren.",
    9000533:
      "Dafür brauchen Sie eine bestätigte Adresse. Bestätigen Sie eine Ihrer Adressen und versuchen Sie es noch einmal.",
    9000534: "Vorher ist noch etwas zu tun. Melden Sie sich noch einmal an, um zu sehen, was.",
    9000540:
      "Diese Anfrage wurde schon beantwortet, oder sie ist zu alt. Gehen Sie zurück zu der Anwendung, von der Sie kommen, und " +
      "beginnen Sie dort von vorn.",
    9000541:
      "Der Server, der Sie hierher geschickt hat, ist im Moment nicht erreichbar. Versuchen Sie es später noch einmal.",
    9000600: "Noch ein Schritt",
    9000601: "Legen Sie ein neues Passwort fest, bevor es weitergeht.",
    9000602: "Bestätigen Sie, dass diese Adresse Ihnen gehört, bevor es weitergeht.",
    9000603: "Einige Angaben zu Ihrem Konto fehlen. Ergänzen Sie sie, um fortzufahren.",
    9000604: "Richten Sie einen zweiten Faktor ein, bevor es weitergeht. Er schützt Ihr Konto.",
    9000605: "Lesen Sie dies und stimmen Sie zu, um fortzufahren.",
    9000606: "Code an {address} senden",
    9000608: "{title} zustimmen",
    9000609: "Dokumente",
    9000610: "Alles erledigt.",
    9000611: "Bitte legen Sie ein neues Passwort fest.",
    9000612: "Bitte bestätigen Sie Ihre Adresse.",
    9000613: "Bitte ergänzen Sie die Angaben zu Ihrem Konto.",
    9000614: "Bitte richten Sie einen zweiten Faktor ein.",
    9000615: "Bitte lesen Sie das Dokument unten und stimmen Sie zu.",
    9000616: "Dieses Passwort haben Sie schon. Wählen Sie ein anderes.",
    9000620: "Sie sind angemeldet",
    9000621:
      "Wir konnten Sie noch nicht zu {application} zurückbringen. Nichts ist verloren: Versuchen Sie es gleich noch einmal.",
    "9000621[application=]":
      "Wir konnten Sie noch nicht zu der Anwendung zurückbringen, von der Sie kommen. Nichts ist verloren: Versuchen Sie es gleich " +
      "noch einmal.",
    9000622: "Noch einmal versuchen",
    9000623: "Es funktioniert noch immer nicht. Sie bleiben angemeldet; versuchen Sie es gleich noch einmal.",
    9000640:
      "Ihr Konto braucht einen zweiten Faktor, und dies ist der einzige. Richten Sie zuerst einen anderen ein.",
    9000700: "Verknüpfte Konten",
    9000701:
      "Zu Ihrer Adresse gibt es schon ein Konto. Melden Sie sich einmal dort an, dann wird {provider} damit verknüpft.",
    9000702:
      "{provider} ist gerade nicht erreichbar. Versuchen Sie es später noch einmal, oder wählen Sie einen anderen Weg.",
    9000703:
      "{provider} hat Sie nicht angemeldet. Versuchen Sie es noch einmal, oder wählen Sie einen anderen Weg.",
    9000704: "Diese Antwort von {provider} gilt nicht mehr. Beginnen Sie von vorn.",
    9000705:
      "Hier ist kein Konto mit diesem Konto bei {provider} verknüpft. Melden Sie sich anders an und verknüpfen Sie es in Ihren " +
      "Einstellungen.",
    9000706:
      "Dieses Konto bei {provider} ist nicht mit dem Konto verknüpft, um das es hier geht. Verwenden Sie das verknüpfte.",
    9000707: "Fast geschafft",
    9000708: "Das hat uns {provider} über Sie mitgeteilt. Ergänzen Sie, was fehlt.",
    9000709: "Konto erstellen",
    9000710: "Damit können Sie sich nicht mehr anmelden: Es wird hier nicht mehr angeboten.",
    9000711: "{provider} war gerade eben nicht erreichbar.",
    9000712: "Zuletzt verwendet",
    9000713: "Ihr Konto ist bereits mit {most} anderen verknüpft. Entfernen Sie zuerst eines.",
    9000751: "Andere Adresse verwenden",
    9000752: "Adressen",
    9000753: "{address}",
    9000754: "Bestätigt · Hauptadresse",
    9000755: "Bestätigt",
    9000756: "Nicht bestätigt",
    9000757: "Noch nicht geändert: Bestätigen Sie die Adresse mit einem Code",
    9000758: "{address} bestätigen",
    9000759: "Neues Passwort",
  },
};
