      * A transaction of an account, as the host system unloads it.
       01  TRANSACTION-RECORD.
           05  TX-NO              PIC 9(8)      COMP.
           05  ACCOUNT-NO         PIC X(6).
           05  TX-DATE            PIC 9(8).
           05  AMOUNT             PIC S9(9)V99  COMP-3.
           05  MEMO               PIC X(16).
           05  FEE-COUNT          PIC 9.
           05  FEES OCCURS 0 TO 3 TIMES DEPENDING ON FEE-COUNT.
               10  FEE            PIC S9(5)     COMP-3.
